import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of `sluice-agent doctor`. It reports the problem that would make a push fail, and exits with the same code
    /// as that push.
    @Suite
    struct DoctorTests {
        private func examine(_ agent: AgentHandle, exits status: Int32 = 0) async throws -> Program {
            let program = try await run(agent.program, ["doctor", "--home", agent.home], within: Site.deadline)
            #expect(program.exitStatus == .exited(status), "\(program.transcript)")
            return program
        }

        @Test func healthySetupPasses() async throws {
            try await Site.serving { site, agent in
                let lines = try await examine(agent).lines(of: .standardOutput)
                let subjects = lines.compactMap { $0.split(separator: " ").first }
                #expect(subjects == ["home", "device", "journal", "gateway", "welcome", "clock", "store", "sending"])
                #expect(lines.contains { $0.hasPrefix("clock     as the gateway's") })
                #expect(
                    lines.contains { $0.hasPrefix("store     it answers the gateway") && $0.contains("only a push") })
                #expect(
                    lines.contains { $0.hasPrefix("gateway   127.0.0.1:") && $0.hasSuffix("it proved its identity") })
            }
        }

        @Test func reportsWhyAPushWouldFail() async throws {
            try await Site.with { site in
                let missing = AgentHandle(home: site.path("nowhere"), program: try .built("sluice-agent"))
                #expect(try await examine(missing, exits: 66).transcript.contains("sluice-agent init"))
                let port = try await site.withGateway { gateway in
                    let unknown = try await site.makeAgent("unknown", port: gateway.port, gateways: [])
                    #expect(try await examine(unknown, exits: 77).transcript.contains("device add"))
                    return gateway.port
                }
                let lonely = try await site.makeAgent("lonely", port: port)
                #expect(
                    try await examine(lonely, exits: 75).transcript.contains(
                        "could not be reached (connection refused)"))
                let nowhere = try await run(
                    lonely.program, ["doctor", "--home", lonely.home, "--gateway", "no-such-host.invalid:7420"],
                    within: Site.deadline)
                #expect(nowhere.exitStatus == .exited(75))
                #expect(nowhere.transcript.contains("no-such-host.invalid cannot be resolved"), "\(nowhere.transcript)")
            }
        }

        /// A gateway that serves with a store that is gone welcomes the device; only its store can show the problem.
        @Test func asksTheGatewayForItsStore() async throws {
            try await Site.serving { site, agent in
                try FileManager.default.moveItem(atPath: site.path("store"), toPath: site.path("gone"))
                let program = try await run(agent.program, ["doctor", "--home", agent.home], within: Site.deadline)
                #expect(program.exitStatus != .exited(0), "\(program.transcript)")
                #expect(program.transcript.contains("it knows this device"), "\(program.transcript)")
                try FileManager.default.moveItem(atPath: site.path("gone"), toPath: site.path("store"))
            }
        }

        /// `doctor` must not send HELLO while a push runs. The gateway would take it for a newer run and end the
        /// connections of the push.
        @Test func doesNotDisturbAPush() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                try await agent.start(site.slowPush(file)) { program in
                    try await program.waitForStoredParts(1)
                    let told = try await examine(agent, exits: 75).transcript
                    #expect(told.contains("not asked: a sluice-agent is at work"), "\(told)")
                    #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                }
            }
        }
    }
}
