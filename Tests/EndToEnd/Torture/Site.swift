import Foundation
import S3Servers
import SeededRandom
import TestSupport

/// Several gateways with one store, agents that send a tree, and a link with faults between agents and gateways.
struct Site: Sendable {
    struct Plan: Sendable {
        var kind: StorageKind
        var seed: UInt64
        var kills: Int
        var filesMin: Int
        var agentCount = 2
        var gatewayCount = 2
    }

    let plan: Plan
    let directory: URL
    let storage: any Storage
    let network: Network
    let tally: Tally
    let tree: SourceTree
    let agents: [Victim]
    let gateways: [Victim]
    private let isEnding = Watched(false)

    /// Makes the homes of all agents and gateways, without starting a program.
    static func make(
        _ plan: Plan, in directory: URL, storage: any Storage, proxy: FaultProxy, tally: Tally
    ) async throws -> Site {
        func path(_ name: String) -> String { directory.appending(path: name).path(percentEncoded: false) }
        let (agent, gateway) = (try Executable.built("sluice-agent"), try Executable.built("sluice-gateway"))
        let pin = try await lastWord(of: gateway, ["init", path("gateway-0")])
        for number in 0..<plan.agentCount {
            let name = "agent-\(number)"
            let device = try await lastWord(
                of: agent, ["init", "--home", path(name), "--gateway", "127.0.0.1:\(proxy.port)", "--pin", pin])
            _ = try await lastWord(
                of: gateway,
                ["device", "add", name, "--fingerprint", device, "--prefix", "\(name)/", "--home", path("gateway-0")])
        }
        for number in 1..<plan.gatewayCount {
            try FileManager.default.copyItem(atPath: path("gateway-0"), toPath: path("gateway-\(number)"))
        }
        var generator = SeededGenerator(seed: plan.seed)
        let network = Network(proxy: proxy, seed: generator.next())
        let log = try Log(directory: directory.appending(path: "logs"))
        func victims(_ role: Tally.Role, _ count: Int, _ executable: Executable, _ environment: [String: String])
            -> [Victim]
        {
            (0..<count).map { number in
                Victim(
                    role, name: "\(role.rawValue)-\(number)", executable: executable, environment: environment,
                    log: log, tally: tally, seed: generator.next())
            }
        }
        return Site(
            plan: plan, directory: directory, storage: storage, network: network, tally: tally,
            tree: try SourceTree(
                directory: directory.appending(path: "tree"), aside: directory.appending(path: "aside"),
                partBytes: storage.partBytes),
            agents: victims(.agent, plan.agentCount, agent, [:]),
            gateways: victims(.gateway, plan.gatewayCount, gateway, storage.environment))
    }

    private static func lastWord(of program: Executable, _ arguments: [String]) async throws -> String {
        let ended = try await TestSupport.run(program, arguments)
        guard ended.exitStatus == .exited(0) else { throw TortureFailure(description: ended.transcript) }
        return ended.lines(of: .standardOutput).last ?? ""
    }

    func path(_ name: String) -> String { directory.appending(path: name).path(percentEncoded: false) }

    var partSize: String { "\(storage.partBytes >> 20)MiB" }

    /// Whether the plan is fulfilled, or 20 violations have occurred.
    var isOver: Bool {
        let counts = tally.current
        return counts.killCount >= plan.kills && counts.files >= plan.filesMin || counts.violations.count >= 20
    }

    // MARK: Running

    /// Sends batches while processes are being killed, until the plan is fulfilled. Then inspects everything.
    func torture() async throws {
        var generator = SeededGenerator(seed: plan.seed &+ 1)
        let seeds = (agents + gateways).map { _ in generator.next() }
        let killer = Killer(site: self, seed: generator.next())
        try await withThrowingTaskGroup(of: Void.self) { servers in
            for gateway in gateways { servers.addTask { try await serve(gateway) } }
            try await withThrowingTaskGroup(of: Void.self) { trouble in
                trouble.addTask { try await network.storm() }
                trouble.addTask { await killer.run() }
                trouble.addTask { await tellProgress() }
                try await withThrowingTaskGroup(of: Void.self) { workers in
                    for (number, agent) in agents.enumerated() {
                        let sender = Sender(site: self, agent: agent, seed: seeds[number])
                        workers.addTask { try await sender.run() }
                    }
                    try await workers.waitForAll()
                }
                trouble.cancelAll()
                try await trouble.waitForAll()
            }
            for gateway in gateways { gateway.spare() }
            isEnding.update { $0 = true }
            for gateway in gateways { gateway.terminate() }
            try await servers.waitForAll()
        }
        tally.count { counts in
            counts.linkBytes = network.counts.towardsUpstream.bytesRead
            counts.cuts = network.counts.connectionsCut
        }
        try await Inspection(site: self).lookAtEverything()
    }

    private func serve(_ gateway: Victim) async throws {
        var generator = SeededGenerator(seed: plan.seed ^ UInt64(gateways.firstIndex { $0 === gateway } ?? 0))
        let arguments =
            ["serve", "--home", path(gateway.name), "--listen", "127.0.0.1:0", "--drain-limit", "5s"]
            + storage.options
        while !isEnding.current {
            let ended = try await gateway.run(
                arguments, isReady: { $0.hasPrefix("listening on ") },
                onReady: { line in
                    let port = line.split(separator: ":").last.flatMap { Int($0) }
                    try await network.gateway(gateway.name, listensOn: port)
                })
            try await network.gateway(gateway.name, listensOn: nil)
            if ended.ending != .killed, !(ended.ending == .exited(0) && isEnding.current) {
                tally.violation(
                    "\(gateway.name) ended by itself: \(ended.ending)\n\(ended.program.transcript.suffix(2_000))")
            }
            if Int.random(in: 0..<3, using: &generator) == 0 {
                await pause(.milliseconds(Int.random(in: 0...1_500, using: &generator)))
            }
        }
    }

    private func tellProgress() async {
        while !Task.isCancelled {
            await pause(.seconds(10))
            say(tally.progress(of: plan.kills))
        }
    }
}

/// A failure of the torture program itself.
struct TortureFailure: Error, CustomStringConvertible {
    let description: String
}
