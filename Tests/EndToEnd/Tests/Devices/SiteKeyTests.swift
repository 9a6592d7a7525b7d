import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of changing a site's key when the operator has no access to the devices (specification §5.1). They use the
    /// real programs.
    @Suite
    struct SiteKeyTests {
        /// Returns the fingerprint that a step of the key change prints.
        private func identity(
            _ site: Site, _ step: String..., home: String = "gateway", exits status: Int32 = 0
        ) async throws -> String {
            let lines = try await site.gateway(["identity"] + step + ["--home", site.path(home)], exits: status)
            return lines.last ?? ""
        }

        private func list(_ site: Site, home: String = "gateway") async throws -> [String] {
            try await site.gateway(["identity", "list", "--home", site.path(home)])
        }

        private func pins(of agent: AgentHandle) -> String {
            // try?: if the file does not exist, the agent has pinned no key.
            (try? String(contentsOfFile: agent.home + "/pins.json", encoding: .utf8)) ?? ""
        }

        private func push(_ site: Site, _ agent: AgentHandle, _ name: String) async throws {
            let file = try site.makeFile(name, bytes: 1_000)
            _ = try await agent.run(site.push(file))
            try await site.expectObject(name, equals: file)
        }

        /// The gateway writes the pins of a device down shortly after each HELLO.
        private func waitUntilListed(_ site: Site, _ words: String) async throws {
            let deadline = ContinuousClock.now + Site.deadline
            while try await !list(site).contains(where: { $0.contains(words) }) {
                try #require(ContinuousClock.now < deadline, "never listed: \(words)")
                // Polls: only `sluice-gateway identity list` shows that the gateway has written the pins.
                try await Task.sleep(for: .milliseconds(200))
            }
        }

        @Test func devicesFollowTheSiteToItsNextKey() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let ready = try await site.makeAgent("ready", port: gateway.port, prefix: "")
                    let late = try await site.makeAgent("late", port: gateway.port, prefix: "")
                    let never = try await site.makeAgent("never", port: gateway.port, prefix: "")
                    let old = try #require(try await list(site).first?.split(separator: " ").last)

                    let next = try await identity(site, "announce")
                    try await gateway.waitForLog(of: next)
                    for name in ["first", "second"] { try await push(site, ready, name) }
                    #expect(pins(of: ready).contains(next))
                    try await push(site, late, "by the old key")
                    try await waitUntilListed(site, "ready  knows the announced key")
                    try await waitUntilListed(site, "late  does not know the announced key")
                    #expect(try await list(site).contains { $0.contains("never  has not connected") })
                    // `late` has not named the next key in HELLO yet, so the switch is refused unless the operator
                    // forces it.
                    _ = try await identity(site, "switch", exits: 75)

                    #expect(try await identity(site, "switch", "--force") == next)
                    try await gateway.waitForLog(of: "proves another key")
                    try await push(site, ready, "by the new key")
                    // `ready` has pinned the next key. `never` has not, and accepts it because of the certificate
                    // chain.
                    try await push(site, never, "by the chain")
                    #expect(pins(of: never).contains(next) && pins(of: never).contains(String(old)))
                    try await waitUntilListed(site, "ready  knows the present key")

                    // `late` has not connected since the switch, and has named only the old key.
                    _ = try await identity(site, "retire", exits: 75)
                    for _ in 0..<2 { try await push(site, late, "by late") }
                    try await push(site, never, "by never")
                    try await waitUntilListed(site, "All devices know the present key")
                    #expect(try await identity(site, "retire") == next)
                    try await push(site, late, "after the old key")
                }
            }
        }

        @Test func deviceRefusesUnpinnedSiteKey() async throws {
            try await Site.with { site in
                let next = try await identity(site, "announce")
                let (port, agent) = try await site.withGateway { gateway in
                    (gateway.port, try await site.makeAgent(port: gateway.port))
                }
                _ = try await identity(site, "switch", "--force")
                _ = try await identity(site, "retire", "--force")
                try await site.withGateway(["--listen", "127.0.0.1:\(port)"]) { _ in
                    let file = try site.makeFile("file", bytes: 1_000)
                    try await agent.expectRefusal(
                        site.push(file), Refusal(77, "gatewayUntrusted", next, do: "--pin"))
                    try await site.expectNoObject("file")
                }
            }
        }

        @Test func uploadContinuesAcrossKeySwitch() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let next = try await identity(site, "announce")
                let run = try await agent.start(site.slowPush(file)) { program in
                    try await program.waitForStoredParts(2)
                    _ = try await identity(site, "switch", "--force")
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(0), "\(program.transcript)")
                    return AgentRun(program)
                }
                try site.expectLittleTwice([run])
                try await site.expectObject("file", equals: file)
                #expect(pins(of: agent).contains(next))
            }
        }

        @Test func gatewaysSwitchKeysOneByOne() async throws {
            try await Site.with { site in
                try site.makeGatewayHome("second")
                let next = try await identity(site, "announce")
                for name in ["next.key", "next.crt"] {
                    try FileManager.default.copyItem(
                        atPath: site.path("gateway/\(name)"), toPath: site.path("second/\(name)"))
                }
                #expect(try await identity(site, "announce", home: "second") == next)
                try await site.withGateway { first in
                    try await site.withGateway(home: "second") { second in
                        let agent = try await site.makeAgent(port: first.port, gateways: ["gateway", "second"])
                        try await push(site, agent, "a")
                        _ = try await identity(site, "switch", "--force")
                        try await first.waitForLog(of: "proves another key")
                        for (name, gateway) in [("b", first), ("c", second), ("d", first)] {
                            let file = try site.makeFile(name, bytes: 1_000)
                            _ = try await agent.run(site.push(file) + ["--gateway", "127.0.0.1:\(gateway.port)"])
                        }
                        #expect(try await identity(site, "switch", "--force", home: "second") == next)
                        try await second.waitForLog(of: "proves another key")
                        let file = try site.makeFile("e", bytes: 1_000)
                        _ = try await agent.run(site.push(file) + ["--gateway", "127.0.0.1:\(second.port)"])
                    }
                }
            }
        }

        @Test func readOnlyHomeKeepsItsPins() async throws {
            try await Site.with { site in
                let next = try await identity(site, "announce")
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    // Replace the file by a directory that is not empty. Renaming a file onto it always fails.
                    let path = agent.home + "/pins.json"
                    try FileManager.default.createDirectory(atPath: path + "/in", withIntermediateDirectories: true)
                    let file = try site.makeFile("file", bytes: 1_000)
                    let transcript = try await agent.start(site.push(file)) { program in
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(0), "\(program.transcript)")
                        return program.transcript
                    }
                    #expect(transcript.contains("pins.json"))
                    try FileManager.default.removeItem(atPath: path)
                    try await push(site, agent, "again")
                    #expect(pins(of: agent).contains(next))
                }
            }
        }
    }
}
