import Foundation
import NIOCore
import S3Servers
import SeededRandom
import TestSupport
import Testing
import TransferCommon

/// A service, a gateway and the link between them, which are killed and cut again and again while programs write into
/// two watched folders. In the end, everything that was written last is stored.
struct ServiceStorm {
    let seed: UInt64
    let files: Int
    /// The pause between two steps of the programs is drawn up to this.
    let pauseMax: Duration
    /// How long it may take until everything is stored, once the kills have ended.
    let calm: Duration

    /// How many kills a storm must have at least, so that it is one.
    private let killsMin = 8

    /// Files of the first folder are deleted once they are proven, and those of the other one are kept.
    private let names = ["deleted", "kept"]

    func run() async throws {
        try await Site.with { site in
            try await withFaultProxy(upstreamPort: 1) { proxy in
                let agent = try await site.makeAgent(port: proxy.port)
                var folders: [BusyFolder] = []
                for (number, name) in names.enumerated() {
                    folders.append(try BusyFolder(name, of: site, seed: seed &+ UInt64(number)))
                }
                let quick = "ready: {when: idle, for: 200ms}, rescan: 1s"
                try agent.watch(
                    site.folder("deleted", "after: delete, grace: 1s, on-change: new-key", quick: quick),
                    site.folder("kept", "on-change: replace", quick: quick))
                folders = try await rage(folders, site, agent, proxy)
                try await site.withGateway { gateway in
                    try await proxy.change { $0 = Faults() }
                    try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                    try await agent.withService { service in
                        try await settle(service, site, kept: folders[1].versions.count)
                        try await inspect(folders, site, service)
                        try await service.stop()
                    }
                }
            }
        }
    }

    // MARK: Kills

    /// Writes all files, while processes are killed and connections are cut.
    private func rage(
        _ folders: [BusyFolder], _ site: Site, _ agent: AgentHandle, _ proxy: FaultProxy
    ) async throws -> [BusyFolder] {
        let isOver = Watched(false)
        let kills = Watched(0)
        return try await withThrowingTaskGroup(of: [BusyFolder]?.self) { group in
            group.addTask {
                let written = try await write(folders) { kills.current >= killsMin }
                isOver.update { $0 = true }
                return written
            }
            group.addTask {
                try await killGateways(site, proxy, kills, isOver)
                return nil
            }
            group.addTask {
                try await killServices(agent, kills, isOver)
                return nil
            }
            group.addTask {
                try await cut(proxy, isOver)
                return nil
            }
            var written = folders
            for try await result in group {
                if let result { written = result }
            }
            return written
        }
    }

    private func write(_ folders: [BusyFolder], isEnough: () -> Bool) async throws -> [BusyFolder] {
        var folders = folders
        var generator = SeededGenerator(seed: seed &+ 10)
        var count = 0
        while count < files || !isEnough() {
            count += 1
            let number = Int.random(in: folders.indices, using: &generator)
            try await folders[number].step()
            try await pause(0...1, of: pauseMax, &generator)
        }
        return folders
    }

    private func killServices(_ agent: AgentHandle, _ kills: Watched<Int>, _ isOver: Watched<Bool>) async throws {
        var generator = SeededGenerator(seed: seed &+ 11)
        while !isOver.current {
            let arguments = ["run", "--home", agent.home, "--log-format", "json"]
            try await withProgram(agent.program, arguments) { program in
                // One of three services is killed at its start or soon after.
                let isEarly = Int.random(in: 0...2, using: &generator) == 0
                try await pause(isEarly ? 0.005...0.1 : 0.2...1, of: .seconds(8), &generator)
                #expect(program.exitStatus == nil, "the service has ended by itself\n\(program.transcript)")
                kills.update { $0 += 1 }
            }
        }
    }

    private func killGateways(
        _ site: Site, _ proxy: FaultProxy, _ kills: Watched<Int>, _ isOver: Watched<Bool>
    ) async throws {
        var generator = SeededGenerator(seed: seed &+ 12)
        while !isOver.current {
            try await site.withGateway { gateway in
                try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                try await pause(0.1...1, of: .seconds(6), &generator)
                #expect(gateway.program.exitStatus == nil, "\(gateway.program.transcript)")
                kills.update { $0 += 1 }
            }
        }
    }

    private func cut(_ proxy: FaultProxy, _ isOver: Watched<Bool>) async throws {
        var generator = SeededGenerator(seed: seed &+ 13)
        while !isOver.current {
            try await pause(0.1...1, of: .seconds(3), &generator)
            let isStalled = Int.random(in: 0...2, using: &generator) == 0
            if isStalled {
                try await proxy.change { $0.towardsClient.passage = .stalled }
                try await pause(0.1...1, of: .seconds(1), &generator)
            }
            try await proxy.cutAll(by: Bool.random(using: &generator) ? .close : .reset)
            if isStalled { try await proxy.change { $0.towardsClient.passage = .forwarding } }
        }
    }

    /// Waits for a drawn part of a time. The sleep is the purpose: a kill comes at no particular moment.
    private func pause(
        _ share: ClosedRange<Double>, of most: Duration, _ generator: inout SeededGenerator
    ) async throws {
        // No event: the kill must hit any moment of the work.
        try await Task.sleep(for: most * Double.random(in: share, using: &generator))
    }

    // MARK: The end

    /// Waits until nothing is pending, the first folder has no files any more, and each file of the other one is
    /// proven.
    ///
    /// - Parameter kept: how many files the other folder has.
    private func settle(_ service: RunningService, _ site: Site, kept: Int) async throws {
        let retryAfter = Duration.seconds(10)
        let triedAt = Watched(ContinuousClock.now)
        try await service.waitForStatus("the end of all work", within: calm) { status in
            guard status.folders.count == 2, status.folders.allSatisfy({ $0.pending == 0 }) else { return false }
            // try?: a file may vanish while its directory is listed. The next status is followed by another listing.
            let left = (try? site.files(in: "deleted")) ?? ["unknown"]
            return left.isEmpty && status.folder("kept")?.proven == kept
        } meanwhile: {
            // A file that was changed while it was read, or whose key another file had, waits for long. A person would
            // not.
            guard ContinuousClock.now - triedAt.current > retryAfter else { return }
            triedAt.update { $0 = .now }
            try await service.ask("retry", "--all")
        }
    }

    private func inspect(_ folders: [BusyFolder], _ site: Site, _ service: RunningService) async throws {
        let stored = try await site.storage.withObjects(below: "") { objects in
            Set(try objects.values.map { try fileDigest($0) })
        }
        for folder in folders {
            for (name, version) in folder.versions.sorted(by: { $0.key < $1.key }) {
                #expect(stored.contains(version), "seed \(seed): the last version of \(name) is not stored")
            }
            for version in folder.removed {
                #expect(stored.contains(version), "seed \(seed): a deleted file is not stored: \(version)")
            }
        }
        let kept = folders[1]
        #expect(kept.removed.isEmpty, "seed \(seed): files of a folder without deletion have vanished")
        for (name, version) in kept.versions {
            #expect(try fileDigest(kept.root.appending(path: name)) == version, "seed \(seed): \(name)")
        }
        #expect(try site.files(in: "kept") == Set(kept.versions.keys), "seed \(seed)")
        #expect(try site.hiddenNames(in: "kept").isEmpty && site.hiddenNames(in: "deleted").isEmpty, "seed \(seed)")
        let status = try await service.status()
        #expect(status.troubles.isEmpty, "seed \(seed): \(status.text)")
    }
}

extension Site {
    /// The paths of all files below a directory, hidden ones too.
    func files(in directory: String) throws -> Set<String> {
        let names = try FileManager.default.subpathsOfDirectory(atPath: path(directory))
        return Set(
            names.filter { name in
                var isDirectory: ObjCBool = false
                return FileManager.default.fileExists(atPath: path("\(directory)/\(name)"), isDirectory: &isDirectory)
                    && !isDirectory.boolValue
            })
    }
}
