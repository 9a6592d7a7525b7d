import Foundation
import NIOCore
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests that the second SIGINT or SIGTERM ends both programs at once, whatever blocks them.
    @Suite
    struct StopTests {
        /// A stopped program must end within this time. It is shorter than the time after which a program gives up by
        /// itself if a reader of its output, or a gateway, does nothing.
        private static let atOnce = Duration.milliseconds(4_500)

        private func stopTwice(_ program: Program, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let start = ContinuousClock.now
            // If two signals of the same kind are pending, the kernel merges them. So the test sends two kinds.
            program.kill(SIGINT)
            // The program counts two signals within a tenth of a second as one request, so wait before the second.
            try await Task.sleep(for: .milliseconds(300))
            program.kill(SIGTERM)
            let ended = try await program.waitForExit(within: .seconds(30))
            #expect(ended == .exited(75), "\(program.transcript)", sourceLocation: sourceLocation)
            let passed = ContinuousClock.now - start
            #expect(passed < Self.atOnce, "\(passed)", sourceLocation: sourceLocation)
        }

        /// The agent handles signals as soon as it holds the lock of its home.
        private func waitUntilAtWork(_ agent: AgentHandle) async throws {
            try await agent.waitUntilStatus(says: "at work")
        }

        @Test(arguments: [">&3", "2>&3", ">&3 2>&3"])
        func blockedOutputDoesNotKeepTheAgent(redirections: String) async throws {
            try await Site.serving { site, agent in
                let arguments = site.slowPush(try site.makeLargeFile()) + ["--json", "--home", agent.home]
                let shell = Site.shellArguments(agent.program, arguments, redirections, setUp: site.blockedPipe())
                try await withProgram(Site.shell, shell) { program in
                    try await waitUntilAtWork(agent)
                    try await stopTwice(program)
                }
            }
        }

        /// The thread that reads the stream is stuck, because no process writes into the pipe.
        @Test func blockedReadDoesNotKeepTheAgent() async throws {
            try await Site.serving { site, agent in
                let pipe = Site.quoted(site.path("silent"))
                let arguments = ["push", "-", "--key", "stream", "--json", "--home", agent.home]
                let shell = Site.shellArguments(
                    agent.program, arguments, "0<>\(pipe)", setUp: "mkfifo \(pipe); ")
                try await withProgram(Site.shell, shell) { program in
                    try await waitUntilAtWork(agent)
                    try await stopTwice(program)
                }
                try await site.expectNoObject("stream")
            }
        }

        /// The drain waits for the agent of a stalled connection, for longer than this test may last.
        @Test func drainDoesNotKeepTheGateway() async throws {
            try await Site.with { site in
                try await site.withGateway(["--drain-limit", "5min"]) { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        try await agent.start(site.slowPush(site.makeLargeFile())) { push in
                            try await push.waitForStoredParts(2)
                            try await proxy.change { faults in
                                faults.towardsUpstream.passage = .stalled
                                faults.towardsClient.passage = .stalled
                            }
                            try await stopTwice(gateway.program)
                        }
                    }
                }
            }
        }

        /// A lost terminal sends SIGHUP several times. The agent keeps what is stored, as after SIGTERM.
        @Test func lostTerminalStopsTheAgentInAnOrderlyWay() async throws {
            try await Site.serving { site, agent in
                try await agent.start(site.slowPush(site.makeLargeFile())) { push in
                    try await push.waitForStoredParts(1)
                    push.kill(SIGHUP)
                    // The kernel merges equal signals that are pending, so wait before the second.
                    try await Task.sleep(for: .milliseconds(300))
                    push.kill(SIGHUP)
                    let ended = try await push.waitForExit(within: .seconds(30))
                    #expect(ended == .exited(75), "\(push.transcript)")
                }
                #expect(try await agent.unfinished().count == 1)
            }
        }

        @Test func gatewayContinuesAfterSIGHUP() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    for _ in 1...3 {
                        gateway.program.kill(SIGHUP)
                        // The kernel merges equal signals that are pending, so wait before the next one.
                        try await Task.sleep(for: .milliseconds(200))
                    }
                    try await gateway.waitForLog(of: "notice", "SIGHUP has no effect")
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: 1_000)
                    _ = try await agent.run(site.push(file))
                    try await site.expectObject("file", equals: file)
                    gateway.program.kill(SIGTERM)
                    let ended = try await gateway.program.waitForExit(within: .seconds(10))
                    #expect(ended == .exited(0), "\(gateway.program.transcript)")
                    try await gateway.waitForLog(of: "notice", "Stopped by SIGTERM")
                }
            }
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func oneSignalEndsAnIdleGateway(signal: Int32) async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    gateway.program.kill(signal)
                    let ended = try await gateway.program.waitForExit(within: .seconds(10))
                    #expect(ended == .exited(0), "\(gateway.program.transcript)")
                }
            }
        }
    }
}
