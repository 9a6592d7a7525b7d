import Foundation
import NIOCore
import TestSupport
import Testing

extension EndToEndTests {
    /// Every way in which an upload is cut short, with real processes and sockets: afterwards the object is the file,
    /// no part that was stored is sent again, and little else is.
    @Suite
    struct ResumeTests {
        private static let partBytes = 1 << 20
        private static let fileBytes = 24 * partBytes + 4_321
        private static let concurrency = 4

        private func pushArguments(_ file: URL, rate: String? = nil) -> [String] {
            let limit = rate.map { ["--limit-rate", $0] } ?? []
            return ["push", file.path(percentEncoded: false), "--part-size", "1MiB"] + limit
        }

        /// What was sent twice stays within the parts that were under way when the link was cut.
        private func expectLittleTwice(
            _ runs: [AgentRun], cuts: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let sent = try runs.reduce(0) { $0 + (try $1.summary.bytesSent ?? 0) }
            let bound = Self.fileBytes + cuts * Self.concurrency * Self.partBytes
            #expect(sent <= UInt64(bound), sourceLocation: sourceLocation)
        }

        /// Pushes until some parts are stored and kills the agent there.
        private func pushAndKill(_ agent: AgentHandle, _ file: URL) async throws -> AgentRun {
            try await agent.start(pushArguments(file, rate: "3MB/s")) { program in
                try await program.waitForStoredParts(4)
                program.kill(SIGKILL)
                try await program.waitForExit()
                return AgentRun(program)
            }
        }

        @Test(arguments: ["push", "resume"])
        func goesOnAfterTheAgentWasKilled(command: String) async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: Self.fileBytes)
                    let killed = try await pushAndKill(agent, file)
                    let rest = try await agent.run(command == "push" ? pushArguments(file) : ["resume", "--all"])
                    try site.expectObject("file", equals: file)
                    // What the killed run was told of last may be missing in its journal: then it is *have*, not sent.
                    #expect(killed.storedParts.count >= 4)
                    #expect(rest.sentParts.isDisjoint(with: killed.storedParts.subtracting(rest.storedParts)))
                    #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(4 * Self.partBytes))
                    try expectLittleTwice([rest])
                    try site.expectNothingUnfinished()
                }
            }
        }

        @Test func goesOnAfterTheGatewayWasKilled() async throws {
            try await Site.with { site in
                let file = try site.makeFile("file", bytes: Self.fileBytes)
                try await withFaultProxy(upstreamPort: 1) { proxy in
                    let run = try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        let agent = try await site.makeAgent(port: proxy.port)
                        return try await agent.start(pushArguments(file, rate: "3MB/s")) { program in
                            try await program.waitForStoredParts(4)
                            gateway.program.kill(SIGKILL)
                            try await gateway.program.waitForExit()
                            return try await site.withGateway { next in
                                try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: next.port))
                                #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                                return AgentRun(program)
                            }
                        }
                    }
                    try site.expectObject("file", equals: file)
                    try expectLittleTwice([run])
                    try site.expectNothingUnfinished()
                }
            }
        }

        @Test func anotherGatewayOfTheSiteTakesOver() async throws {
            try await Site.with { site in
                let file = try site.makeFile("file", bytes: Self.fileBytes)
                try await site.withGateway { first in
                    try await withFaultProxy(upstreamPort: first.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        try site.makeGatewayHome("second")
                        let run = try await site.withGateway(home: "second") { second in
                            try await agent.start(pushArguments(file, rate: "3MB/s")) { program in
                                try await program.waitForStoredParts(4)
                                try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: second.port))
                                try await proxy.cutAll(by: .reset)
                                #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                                return AgentRun(program)
                            }
                        }
                        // The first gateway lives, and still holds parts that it was receiving.
                        try site.expectObject("file", equals: file)
                        try expectLittleTwice([run])
                        try site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test(arguments: [Cut.reset, .close])
        func goesOnWhereFramesWereCutInTheMiddle(cut: Cut) async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeFile("file", bytes: Self.fileBytes)
                        let cuts = 4
                        let run = try await agent.start(pushArguments(file, rate: "6MB/s")) { program in
                            for count in 1...cuts {
                                // An odd number of bytes: in the middle of a header, of fields, or of a payload.
                                try await proxy.cutAll(afterBytes: 2_000_003 + count * 7, towards: .upstream, by: cut)
                                try await withDeadline(Site.deadline, "a cut") {
                                    try await proxy.wait { $0.connectionsCut >= count }
                                }
                            }
                            #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                            return AgentRun(program)
                        }
                        try site.expectObject("file", equals: file)
                        // The same gateway lives: what it has received it keeps, and only what was on the way goes
                        // again.
                        let twice = Int(try run.summary.bytesSent ?? 0) - Self.fileBytes
                        #expect(twice <= cuts * 3 << 20, "sent twice: \(twice)")
                        try site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test func aNewRunNeedNotWaitForTheOldOnesDeadConnection() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeFile("file", bytes: Self.fileBytes)
                        try await agent.start(pushArguments(file, rate: "3MB/s")) { program in
                            try await program.waitForStoredParts(4)
                            // From here the gateway hears nothing, not even that the agent dies.
                            try await proxy.change { faults in
                                faults.towardsUpstream.passage = .stalled
                                faults.towardsClient.passage = .stalled
                            }
                            program.kill(SIGKILL)
                            try await program.waitForExit()
                        }
                        #expect(proxy.counts.connectionsOpen > 0)
                        let rest = try await agent.run(
                            pushArguments(file) + ["--gateway", "127.0.0.1:\(gateway.port)"])
                        try site.expectObject("file", equals: file)
                        #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(4 * Self.partBytes))
                        try site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test func findsTheUnfinishedUploadAgainWhenTheJournalIsLost() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: Self.fileBytes)
                    _ = try await pushAndKill(agent, file)
                    for name in try FileManager.default.contentsOfDirectory(atPath: agent.home)
                    where name.hasPrefix("journal") {
                        try FileManager.default.removeItem(atPath: agent.home + "/" + name)
                    }
                    let rest = try await agent.run(pushArguments(file))
                    try site.expectObject("file", equals: file)
                    #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(4 * Self.partBytes))
                    #expect(rest.notes.contains { $0.contains("unfinished upload that the gateway knows of") })
                    try site.expectNothingUnfinished()
                }
            }
        }

        @Test func statusListsWhatIsUnfinishedAndAbortDropsIt() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: Self.fileBytes)
                    _ = try await pushAndKill(agent, file)
                    let status = try await run(agent.program, ["status", "--home", agent.home])
                    #expect(status.transcript.contains("MiB of 24.0 MiB stored"), "\(status.transcript)")
                    let dropped = try await agent.run(["abort", "1"])
                    #expect(dropped.outcomes == ["dropped"])
                    let after = try await run(agent.program, ["status", "--home", agent.home])
                    #expect(after.transcript.contains("No unfinished uploads"))
                    try site.expectNothingUnfinished()
                    #expect(!FileManager.default.fileExists(atPath: site.object("file").path(percentEncoded: false)))
                }
            }
        }

        @Test func aChangedFileIsANewVersionForPushAndAWrongFileForResume() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: Self.fileBytes)
                    _ = try await pushAndKill(agent, file)
                    try SeededFile(seed: 99, byteCount: Self.fileBytes).write(to: file)
                    let refused = try await agent.run(["resume", "1"], exits: 65)
                    #expect(refused.outcomes == ["wrongFile"])
                    _ = try await agent.run(pushArguments(file))
                    try site.expectObject("file", equals: file)
                    try site.expectNothingUnfinished()
                }
            }
        }

        @Test func aTouchedButEqualFileGoesOn() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: Self.fileBytes)
                    _ = try await pushAndKill(agent, file)
                    try FileManager.default.setAttributes(
                        [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)],
                        ofItemAtPath: file.path(percentEncoded: false))
                    let rest = try await agent.run(["resume", "1"])
                    #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * Self.partBytes))
                    try site.expectObject("file", equals: file)
                }
            }
        }

        @Test func interruptKeepsEverythingAndExits75() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: Self.fileBytes)
                    try await agent.start(pushArguments(file, rate: "3MB/s")) { program in
                        try await program.waitForStoredParts(2)
                        program.kill(SIGINT)
                        #expect(try await program.waitForExit(within: .seconds(10)) == .exited(75))
                    }
                    let rest = try await agent.run(["resume"])
                    #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(2 * Self.partBytes))
                    try site.expectObject("file", equals: file)
                }
            }
        }
    }
}
