import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of receipts and PROVE with both programs.
    @Suite
    struct ReceiptTests {
        private func receipts(_ agent: AgentHandle, _ arguments: [String], exits status: Int32 = 0) async throws
            -> [String]
        {
            let program = try await run(agent.program, ["receipts"] + arguments + ["--home", agent.home])
            #expect(program.exitStatus == .exited(status), "\(program.transcript)")
            return program.lines(of: .standardOutput)
        }

        /// The lines of the receipts that the agent can verify, all of them, without the line of the sums.
        private func verified(_ agent: AgentHandle) async throws -> [String] {
            let lines = try await receipts(agent, ["verify"]).dropLast()
            #expect(lines.allSatisfy { $0.hasPrefix("verified  ") }, "\(lines)")
            return Array(lines)
        }

        /// The agent verifies the receipts of a file of one part and of a file of several parts. `sluice-gateway`
        /// verifies them again.
        @Test(arguments: [StorageKind.directory, .moto])
        func aPushKeepsReceiptsThatOthersCanVerify(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let files = [try site.makeFile("small", bytes: 1_000), try site.makeLargeFile("large")]
                let paths = files.map { $0.path(percentEncoded: false) }
                let run = try await agent.run(["push", "--receipts", "--part-size", site.partSize] + paths)
                #expect(run.outcomes == ["stored", "stored"])
                #expect(try await verified(agent).count == 2)
                let objects = try await receipts(agent, ["list", "--json"])
                #expect(objects.count == 3 && objects.allSatisfy { $0.hasPrefix("{") }, "two receipts and the sums")
                _ = try await receipts(agent, ["export", "--to", site.path("exported")])
                for name in try FileManager.default.contentsOfDirectory(atPath: site.path("exported")) {
                    let file = site.path("exported/\(name)")
                    _ = try await site.gateway(["receipt", "verify", file, "--key", try site.pin])
                }
            }
        }

        @Test func noReceiptWithoutTheFlag() async throws {
            try await Site.serving { site, agent in
                _ = try await agent.run(site.push(try site.makeFile("small", bytes: 1_000)))
                #expect(try await receipts(agent, ["list"]) == [])
            }
        }

        @Test func aResumedUploadKeepsAsking() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                try await agent.start(site.slowPush(file) + ["--receipts"]) { program in
                    try await program.waitForStoredParts(4)
                    program.kill(SIGKILL)
                    try await program.waitForExit()
                }
                _ = try await agent.run(["resume", "--all"])
                #expect(try await verified(agent).count == 1)
            }
        }

        @Test func storedFileGetsReceipt() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("small", bytes: 1_000)
                _ = try await agent.run(site.push(file))
                let run = try await agent.run(site.push(file) + ["--receipts"])
                #expect(run.outcomes == ["there"])
                #expect(try await verified(agent).count == 1)
            }
        }

        /// The receipt includes the gateway's certificates, so users who trust the authority can verify who signed it.
        @Test func anAuthorityVouchesForTheSigner() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let agent = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                _ = try await agent.run(site.push(try site.makeFile("small", bytes: 1_000)) + ["--receipts"])
                #expect(try await verified(agent).count == 1)
                _ = try await receipts(agent, ["export", "--to", site.path("exported")])
                let name = try #require(
                    try FileManager.default.contentsOfDirectory(atPath: site.path("exported")).first)
                let verify = ["receipt", "verify", site.path("exported/\(name)"), "--ca", authority.certificatePath]
                _ = try await site.gateway(verify + ["--gateway-name", Site.gatewayName])
                _ = try await site.gateway(verify + ["--gateway-name", "another"], exits: 1)
            }
        }

        /// This kind of store keeps verified digests, so the gateway reads no object.
        @Test func checkAsksGateway() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("tree/changed", bytes: 1_000)
                _ = try site.makeFile("tree/large", bytes: 2 * site.partBytes + 1)
                _ = try await agent.run(["push", site.path("tree"), "--part-size", site.partSize])
                _ = try site.makeFile("tree/changed", bytes: 1_000, seed: 2)
                _ = try site.makeFile("tree/new", bytes: 5)
                for fast in [[], ["--fast"]] {
                    let lines = try await agent.check(["--remote", site.path("tree")] + fast, exits: 1)
                    let states = Dictionary(
                        lines.compactMap { line in line.key.map { ($0, line.state) } }, uniquingKeysWith: { $1 })
                    #expect(states == ["changed": "different", "large": "proven", "new": "absent"])
                    #expect(lines.last?.proven == 1)
                }
                #expect(try await verified(agent).count == 1)
                _ = try await agent.check(["--remote", site.path("tree/large"), "--key", "large"], exits: 0)
            }
        }

        @Test func lostJournalCausesNoResend() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile().path(percentEncoded: false)
                _ = try await agent.run(["push", file])
                for suffix in ["", "-wal", "-shm"] {
                    // try?: when SQLite closes the journal, it removes the files `-wal` and `-shm` itself.
                    try? FileManager.default.removeItem(atPath: agent.home + "/journal.sqlite" + suffix)
                }
                #expect(try await agent.check([file], exits: 1).first?.state == "not_sent")
                #expect(try await agent.check(["--remote", file], exits: 0).first?.state == "proven")
            }
        }

        @Test func foreignObjectIsReadOnlyOnRequest() async throws {
            try await Site.serving(.moto) { site, agent in
                let file = try site.makeFile("foreign", bytes: 1_000)
                try await site.storage.put(file, key: "foreign")
                let path = file.path(percentEncoded: false)
                #expect(try await agent.check(["--remote", path], exits: 1).first?.state == "unknown")
                #expect(try await agent.check(["--remote", "--read-back", path], exits: 0).first?.state == "proven")
            }
        }

        @Test func missingGatewayExits75() async throws {
            try await Site.with { site in
                let file = try site.makeFile("file", bytes: 1).path(percentEncoded: false)
                let agent = try await site.withGateway { try await site.makeAgent(port: $0.port) }
                let lines = try await agent.check(["--remote", "--retry-for", "1s", file], exits: 75)
                #expect(lines.first?.state == "unreachable")
            }
        }
    }
}
