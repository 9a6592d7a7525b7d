import Foundation
import NIOCore
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of signals to real processes. A run that is stopped by a signal keeps at least as much as one that
    /// crashes, and exits with 75.
    @Suite
    struct InterruptionTests {
        private static let fileBytes = 8_000_000

        /// Models `for i in 1 2 3 4 …; do timeout 4 sluice-agent push v --limit-rate 1MB/s; done`, at twice the speed.
        @Test(arguments: [
            ["--part-size", "8MiB"], ["--part-size", "1MiB"], ["--part-size", "1MiB", "--connections", "3"],
        ])
        func shortRunsTogetherSendAFile(options: [String]) async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: Self.fileBytes)
                let arguments =
                    ["push", file.path(percentEncoded: false), "--limit-rate", "2MB/s", "--compress", "never"] + options
                var runs: [AgentRun] = []
                for _ in 0..<6 where runs.last?.outcomes != ["stored"] {
                    let run = try await agent.start(arguments) { program in
                        // `timeout` would stop the run after this time, unless it finishes earlier.
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
                // The bytes that are in flight at a stop may be sent again.
                #expect(
                    sent <= UInt64(Self.fileBytes + (runs.count - 1) * 600_000), "sent \(sent) in \(runs.count) runs")
                try await site.expectNothingUnfinished()
            }
        }

        /// The walk visits so many directories that it still runs when the signal arrives.
        @Test(arguments: [SIGINT, SIGTERM])
        func walkWithoutFilesCanBeInterrupted(signal: Int32) async throws {
            try await Site.serving { site, agent in
                // Each directory contains the next one, and the push names all of them. So the walk visits the
                // innermost directory once for each of them.
                var folder = "tree"
                var names: [String] = []
                for _ in 0..<400 {
                    for index in 0..<20 { _ = try site.makeFile("\(folder)/\(index)", bytes: 0) }
                    names.append(site.path(folder))
                    folder += "/d"
                }
                let arguments = ["push"] + names + ["--include", "nothing-is-called-so"]
                try await agent.start(arguments) { program in
                    // The agent handles signals once it holds the lock of its home.
                    try await agent.waitUntilStatus(says: "at work")
                    program.kill(signal)
                    #expect(try await program.waitForExit(within: .seconds(5)) == .exited(75), "\(program.transcript)")
                    #expect(program.transcript.contains("\"more_not_begun\":true"), "\(program.transcript)")
                }
            }
        }

        @Test func filesNotBegunAreCounted() async throws {
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
                // A file that has no row in the journal must not be reported as kept in the journal.
                let kept = stopped.count { $0.contains("\"kept\":true") }
                #expect(kept == told["unfinished"] as? Int, "\(summary)")
                let rest = try await agent.run(["push", site.path("tree")])
                #expect(try rest.summary.failed == 0)
                try await site.expectNothingUnfinished()
            }
        }

        /// The gateway has stopped answering. After one signal the run ends when its grace period is over.
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
                            program.kill(SIGINT)
                            if signals == 2 {
                                // Two signals within a tenth of a second count as one request.
                                try await Task.sleep(for: .milliseconds(300))
                                program.kill(SIGINT)
                            }
                            #expect(try await program.waitForExit(within: .seconds(15)) == .exited(75))
                            let passed = ContinuousClock.now - start
                            #expect(signals == 2 ? passed < .seconds(2) : passed > .seconds(2), "\(passed)")
                        }
                    }
                }
            }
        }

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

        /// While a push runs in the home, the command `abort` waits for the end of the push.
        @Test func waitingAbortCanBeInterrupted() async throws {
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
                                try await agent.waitUntilStatus(says: "to be dropped")
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
