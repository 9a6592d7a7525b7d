import Foundation
import NIOCore
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Signals, with real processes: a stop keeps at least what a crash keeps, and an interrupted command exits 75.
    @Suite
    struct InterruptionTests {
        private static let fileBytes = 8_000_000

        private static func waitUntilStatus(of agent: AgentHandle, says text: String) async throws {
            try await withDeadline(Site.deadline, "status to say: \(text)") {
                var told = ""
                while !told.contains(text) {
                    told = try await run(agent.program, ["status", "--home", agent.home]).transcript
                }
            }
        }

        /// `for i in 1 2 3 4 …; do timeout 4 sluice-agent push v --limit-rate 1MB/s; done`, at twice the speed.
        @Test(arguments: [
            ["--part-size", "8MiB"], ["--part-size", "1MiB"], ["--part-size", "1MiB", "--connections", "3"],
        ])
        func boundedRunsGetAFileThrough(options: [String]) async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: Self.fileBytes)
                let arguments =
                    ["push", file.path(percentEncoded: false), "--limit-rate", "2MB/s", "--compress", "never"] + options
                var runs: [AgentRun] = []
                for _ in 0..<6 where runs.last?.outcomes != ["stored"] {
                    let run = try await agent.start(arguments) { program in
                        // The time that `timeout` gives it; it may end before.
                        let ended = try? await program.waitForExit(within: .seconds(2))
                        if ended == nil { program.kill(SIGTERM) }
                        let status = try await program.waitForExit(within: .seconds(8))
                        let run = AgentRun(program)
                        #expect(status == .exited(run.outcomes == ["stored"] ? 0 : 75), "\(program.transcript)")
                        return run
                    }
                    runs.append(run)
                }
                #expect(runs.last?.outcomes == ["stored"], "\(runs.map(\.outcomes))")
                try await site.expectObject("file", equals: file)
                let sent = try runs.reduce(0) { $0 + (try $1.summary.bytesSent ?? 0) }
                // What was on the way at each stop.
                #expect(
                    sent <= UInt64(Self.fileBytes + (runs.count - 1) * 600_000), "sent \(sent) in \(runs.count) runs")
                try await site.expectNothingUnfinished()
            }
        }

        /// A walk that finds nothing to send, over far more than can be looked at in a moment.
        @Test(arguments: [SIGINT, SIGTERM])
        func aWalkThatFindsNothingIsInterrupted(signal: Int32) async throws {
            try await Site.serving { site, agent in
                // Each directory lies in the one before, and all are named: the last is walked as often as there are.
                var folder = "tree"
                var names: [String] = []
                for _ in 0..<400 {
                    for index in 0..<20 { _ = try site.makeFile("\(folder)/\(index)", bytes: 0) }
                    names.append(site.path(folder))
                    folder += "/d"
                }
                let arguments = ["push"] + names + ["--include", "nothing-is-called-so"]
                try await agent.start(arguments) { program in
                    // Signals are taken when the lock of the home is held.
                    try await Self.waitUntilStatus(of: agent, says: "at work")
                    program.kill(signal)
                    #expect(try await program.waitForExit(within: .seconds(5)) == .exited(75), "\(program.transcript)")
                    #expect(program.transcript.contains("\"not_begun\":true"), "\(program.transcript)")
                }
            }
        }

        /// More files than are under way at once: the others are counted.
        @Test func filesThatWereNotBegunAreCounted() async throws {
            try await Site.serving { site, agent in
                let count = 400
                for index in 0..<count { _ = try site.makeFile("tree/\(index)", bytes: 100_000) }
                let arguments = ["push", site.path("tree"), "--limit-rate", "1MB/s", "--compress", "never"]
                let stopped = try await agent.start(arguments) { program in
                    try await program.waitForLine(of: .standardOutput) { $0.contains("\"outcome\":\"stored\"") }
                    program.kill(SIGINT)
                    #expect(try await program.waitForExit(within: .seconds(8)) == .exited(75), "\(program.transcript)")
                    return program.lines(of: .standardOutput)
                }
                let summary = try #require(stopped.last)
                let told = try #require(try JSONSerialization.jsonObject(with: Data(summary.utf8)) as? [String: Any])
                let files = try #require(told["files"] as? Int)
                #expect(told["not_begun"] as? Int == count - files, "\(summary)")
                // What has no row in the journal is not called kept.
                let kept = stopped.count { $0.contains("\"kept\":true") }
                #expect(kept == told["unfinished"] as? Int, "\(summary)")
                let rest = try await agent.run(["push", site.path("tree")])
                #expect(try rest.summary.failed == 0)
                try await site.expectNothingUnfinished()
            }
        }

        /// A gateway that does not answer any more: the first signal waits for the grace, the second for nothing.
        @Test(arguments: [1, 2])
        func aSecondSignalEndsAtOnce(signals: Int) async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeLargeFile()
                        try await agent.start(site.slowPush(file)) { program in
                            try await program.waitForStoredParts(2)
                            try await proxy.change { faults in
                                faults.towardsUpstream.passage = .stalled
                                faults.towardsClient.passage = .stalled
                            }
                            let start = ContinuousClock.now
                            // Two of one kind could be taken for one.
                            program.kill(SIGINT)
                            if signals == 2 { program.kill(SIGTERM) }
                            #expect(try await program.waitForExit(within: .seconds(15)) == .exited(75))
                            let passed = ContinuousClock.now - start
                            #expect(signals == 2 ? passed < .seconds(2) : passed > .seconds(2), "\(passed)")
                        }
                    }
                }
            }
        }

        /// The number of an upload that is gone names no other.
        @Test func aNumberIsNeverUsedAgain() async throws {
            try await Site.serving { site, agent in
                _ = try await site.pushAndKill(agent, site.makeLargeFile("first"))
                _ = try await agent.run(["abort", "1"])
                _ = try await site.pushAndKill(agent, site.makeLargeFile("second", seed: 2))
                let again = try await agent.run(["abort", "1"], exits: 66)
                #expect(again.outcomes == ["missing"])
                #expect(again.events.contains { $0.message?.contains("there is no unfinished upload 1") == true })
                _ = try await agent.run(["resume", "2"])
                try await site.expectNothingUnfinished()
            }
        }

        /// `abort` beside a push that is at work waits for it, and can be interrupted.
        @Test func anAbortThatWaitsForAnotherProcessIsInterrupted() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeLargeFile()
                        try await agent.start(site.slowPush(file)) { push in
                            try await push.waitForStoredParts(2)
                            try await proxy.change { faults in
                                faults.towardsUpstream.passage = .stalled
                                faults.towardsClient.passage = .stalled
                            }
                            try await agent.start(["abort", "1"]) { abort in
                                try await Self.waitUntilStatus(of: agent, says: "to be dropped")
                                abort.kill(SIGINT)
                                let ended = try await abort.waitForExit(within: .seconds(5))
                                #expect(ended == .exited(75), "\(abort.transcript)")
                            }
                        }
                    }
                }
            }
        }
    }
}
