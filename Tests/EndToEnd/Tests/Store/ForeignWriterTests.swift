import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests with other programs that write to the same keys. An agent replaces their objects only if its user asked
    /// for it.
    @Suite
    struct ForeignWriterTests {
        /// FileStore and moto check conditions; JuiceFS ignores them.
        static let kinds: [StorageKind] = [.directory, .moto, .juiceFS]

        enum Size: String, CaseIterable {
            case onePart, severalParts
        }

        @Test(arguments: kinds, Size.allCases)
        func anObjectThatAppearsDuringAPushStays(kind: StorageKind, size: Size) async throws {
            for policy in ["verify", "fail"] {
                try await Site.serving(kind) { site, agent in
                    let (file, foreign) = try site.makeRivals(size)
                    try await agent.start(site.halting(file) + ["--if-exists", policy]) { push in
                        try await push.waitForSentBytes()
                        try await site.storage.put(foreign, key: "file")
                        #expect(try await push.waitForExit(within: Site.deadline) == .exited(1), "\(push.transcript)")
                    }
                    try await site.expectObject("file", equals: foreign)
                    try await site.expectNothingUnfinished()
                }
            }
        }

        @Test(arguments: kinds, Size.allCases)
        func theSameContentFromAnotherWriterIsSuccess(kind: StorageKind, size: Size) async throws {
            try await Site.serving(kind) { site, agent in
                let (file, _) = try site.makeRivals(size)
                try await agent.start(site.halting(file)) { push in
                    try await push.waitForSentBytes()
                    try await site.storage.put(file, key: "file")
                    #expect(try await push.waitForExit(within: Site.deadline) == .exited(0), "\(push.transcript)")
                    // Both agents have written the same bytes. The second one may report that it stored them or that
                    // they were stored already.
                    #expect([["stored"], ["there"]].contains(AgentRun(push).outcomes))
                }
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test(arguments: kinds, Size.allCases)
        func replaceOverwritesObjectThatAppears(kind: StorageKind, size: Size) async throws {
            try await Site.serving(kind) { site, agent in
                let (file, foreign) = try site.makeRivals(size)
                try await agent.start(site.halting(file) + ["--if-exists", "replace"]) { push in
                    try await push.waitForSentBytes()
                    try await site.storage.put(foreign, key: "file")
                    #expect(try await push.waitForExit(within: Site.deadline) == .exited(0), "\(push.transcript)")
                }
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test(arguments: kinds, ["push", "resume", "restarted gateway", "lost journal"])
        func failHoldsAfterAnInterruption(kind: StorageKind, how: String) async throws {
            try await Site.with(kind) { site in
                let file = try site.makeFile("file", bytes: 3 * site.partBytes, seed: 1)
                let foreign = try site.makeFile("foreign", bytes: 1_000, seed: 2)
                let fail = ["--if-exists", "fail"]
                let agent = try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    try await agent.start(site.slowPush(file, partsPerSecond: 1) + fail) { push in
                        try await push.waitForStoredParts(1)
                        push.kill(SIGKILL)
                        try await push.waitForExit()
                    }
                    try await site.storage.put(foreign, key: "file")
                    if how != "restarted gateway" {
                        if how == "lost journal" { try agent.loseJournal() }
                        let again = how == "resume" ? ["resume", "--all"] : site.push(file) + fail
                        _ = try await agent.run(again, exits: 1)
                    }
                    return agent
                }
                if how == "restarted gateway" {
                    try await site.withGateway { gateway in
                        let port = ["--gateway", "127.0.0.1:\(gateway.port)"]
                        _ = try await agent.run(site.push(file) + fail + port, exits: 1)
                    }
                }
                try await site.expectObject("file", equals: foreign)
            }
        }

        // MARK: The agent's own objects

        struct Growth: CustomStringConvertible, Sendable {
            var kind: StorageKind
            var from: Int
            var to: Int

            var description: String { "\(kind.rawValue), from \(from) to \(to) bytes" }
        }

        static let growths = [StorageKind.directory, .moto, .motoAsAWS].flatMap { kind in
            [(0, 1_000), (1_000, 2_000), (1_000, 12 << 20), (12 << 20, 12 << 20 | 5_000)].map {
                Growth(kind: kind, from: $0.0, to: $0.1)
            }
        }

        @Test(arguments: growths)
        func aFileThatOnlyGrewReplacesItsOwnObject(_ growth: Growth) async throws {
            try await Site.serving(growth.kind) { site, agent in
                let whole = try Data(contentsOf: site.makeFile("whole", bytes: growth.to, seed: 5))
                let file = site.directory.appending(path: "file")
                try whole.prefix(growth.from).write(to: file)
                _ = try await agent.run(site.push(file))
                let handle = try FileHandle(forWritingTo: file)
                try handle.seekToEnd()
                try handle.write(contentsOf: whole.dropFirst(growth.from))
                try handle.close()
                _ = try await agent.run(site.push(file))
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        /// The file becomes longer and begins with the same bytes, but has another inode; or its bytes change; or it
        /// grows, and another writer has replaced its object.
        @Test(arguments: [StorageKind.directory, .moto], ["another inode", "other bytes", "another writer"])
        func anyOtherChangeLeavesTheObject(kind: StorageKind, change: String) async throws {
            try await Site.serving(kind) { site, agent in
                let bytes = try Data(contentsOf: site.makeFile("whole", bytes: 20_000, seed: 5))
                let file = site.directory.appending(path: "file")
                let first = site.directory.appending(path: "first")
                for url in [file, first] { try bytes.prefix(10_000).write(to: url) }
                _ = try await agent.run(site.push(file))
                var expected = first
                switch change {
                case "another inode":
                    let next = site.directory.appending(path: "next")
                    try bytes.write(to: next)
                    #expect(rename(next.path(percentEncoded: false), file.path(percentEncoded: false)) == 0)
                case "other bytes":
                    let handle = try FileHandle(forWritingTo: file)
                    try handle.write(contentsOf: Data(bytes.reversed()))
                    try handle.close()
                default:
                    expected = try site.makeFile("foreign", bytes: 10_000, seed: 9)
                    try await site.storage.put(expected, key: "file")
                    let handle = try FileHandle(forWritingTo: file)
                    try handle.seekToEnd()
                    try handle.write(contentsOf: bytes.dropFirst(10_000))
                    try handle.close()
                }
                _ = try await agent.run(site.push(file), exits: 1)
                try await site.expectObject("file", equals: expected)
            }
        }
    }
}

extension Site {
    fileprivate func makeRivals(_ size: EndToEndTests.ForeignWriterTests.Size) throws -> (file: URL, foreign: URL) {
        let bytes = size == .onePart ? partBytes - 100_000 : partBytes + partBytes / 4
        return (try makeFile("file", bytes: bytes, seed: 1), try makeFile("foreign", bytes: bytes, seed: 2))
    }

    fileprivate func halting(_ file: URL) -> [String] {
        push(file) + ["--limit-rate", "\(partBytes * 4 / 10_000)kB/s"]
    }
}

extension AgentHandle {
    fileprivate func loseJournal() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: home) where name.hasPrefix("journal") {
            try FileManager.default.removeItem(atPath: home + "/" + name)
        }
    }
}

extension Program {
    fileprivate func waitForSentBytes() async throws {
        try await waitForLine(of: .standardOutput, within: Site.deadline) { line in
            guard let event = AgentRun.event(line), event.event == "part" else { return false }
            return (event.sent ?? 0) > 0
        }
    }
}
