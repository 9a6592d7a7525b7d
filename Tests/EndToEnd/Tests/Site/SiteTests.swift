import Foundation
import NIOCore
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of a site with several gateways, and of several agents that write to the same key.
    @Suite
    struct SiteTests {
        @Test(arguments: StorageKind.usual)
        func anotherGatewayTakesOverInMidPart(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                let file = try site.makeLargeFile()
                try await site.withGateway { first in
                    try await withFaultProxy(upstreamPort: first.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        try site.makeGatewayHome("second")
                        let run = try await site.withGateway(home: "second") { second in
                            try await agent.start(site.slowPush(file)) { program in
                                try await program.waitForStoredParts(4)
                                try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: second.port))
                                try await proxy.cutAll(by: .reset)
                                #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                                return AgentRun(program)
                            }
                        }
                        // The first gateway is still running, and holds parts that it was receiving when the
                        // connections moved to the second.
                        try await site.expectObject("file", equals: file)
                        try site.expectLittleTwice([run])
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test(arguments: StorageKind.usual)
        func survivesCutsAcrossThreeGateways(kind: StorageKind) async throws {
            try await Site.withThreeGateways(kind) { site, gateways in
                try await push(through: gateways.map(\.port), of: site)
            }
        }

        /// The load balancer does not notice that a gateway was killed, and sends every third connection to it.
        @Test(arguments: StorageKind.usual)
        func survivesLossOfOneOfThreeGateways(kind: StorageKind) async throws {
            try await Site.withThreeGateways(kind) { try await pushAndKill($1[0], of: $1, $0) }
        }

        private func pushAndKill(
            _ victim: RunningGateway, of gateways: [RunningGateway], _ site: Site
        ) async throws {
            let addresses = try gateways.map { try SocketAddress(ipAddress: "127.0.0.1", port: $0.port) }
            try await withFaultProxy(upstreamPort: victim.port) { proxy in
                try await proxy.redirect(to: addresses[0], addresses[1], addresses[2])
                let agent = try await site.makeAgent(port: proxy.port, gateways: ["gateway", "second", "third"])
                let file = try site.makeLargeFile()
                let run = try await agent.start(site.slowPush(file)) { program in
                    try await program.waitForStoredParts(4)
                    victim.program.kill(SIGKILL)
                    try await victim.program.waitForExit()
                    #expect(try await program.waitForExit(within: Site.deadline) == .exited(0), "\(program.transcript)")
                    return AgentRun(program)
                }
                try await site.expectObject("file", equals: file)
                try site.expectLittleTwice([run])
                try await site.expectNothingUnfinished()
            }
        }

        private func push(through ports: [Int], of site: Site) async throws {
            let addresses = try ports.map { try SocketAddress(ipAddress: "127.0.0.1", port: $0) }
            try await withFaultProxy(upstreamPort: ports[0]) { proxy in
                try await proxy.redirect(to: addresses[0], addresses[1], addresses[2])
                let agent = try await site.makeAgent(
                    port: proxy.port, gateways: ["gateway", "second", "third"])
                let file = try site.makeLargeFile()
                try await proxy.change { $0.cutEvery = .seconds(1) }
                let run = try await agent.run(site.slowPush(file, partsPerSecond: 2))
                try await site.expectObject("file", equals: file)
                let cuts = proxy.counts.connectionsCut
                #expect(cuts >= 3, "of \(cuts) cuts each moved the session to another gateway")
                // A part takes less than a second, so each cut interrupts few parts.
                let twice = Int(try run.summary.bytesSent ?? 0) - site.largeFileBytes
                #expect(twice <= cuts * 4 * site.partBytes, "sent twice: \(twice) after \(cuts) cuts")
                try await site.expectNothingUnfinished()
            }
        }

        @Test(arguments: StorageKind.usual)
        func twoDevicesPushToOneKey(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    let file = try site.makeLargeFile()
                    let agents = [
                        try await site.makeAgent("left", port: gateway.port),
                        try await site.makeAgent("right", port: gateway.port),
                    ]
                    try await pushAtOnce(agents, [file, file], of: site)
                    try await site.expectObject("file", equals: file)
                    try await site.expectNothingUnfinished()
                }
            }
        }

        /// Two computers have the same identity but separate journals, so the gateway sees one device.
        @Test(arguments: StorageKind.usual)
        func twoAgentsWithOneIdentityNeverMixTheirBytes(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                try FileManager.default.copyItem(atPath: agent.home, toPath: site.path("copy"))
                let copy = AgentHandle(home: site.path("copy"), program: agent.program)
                let files = [
                    try site.makeLargeFile("one/file", seed: 1), try site.makeLargeFile("two/file", seed: 2),
                ]
                for file in files {
                    try FileManager.default.setAttributes(
                        [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)],
                        ofItemAtPath: file.path(percentEncoded: false))
                }
                try await pushAtOnce([agent, copy], files, of: site, first: 75)
                // The newer agent has fenced the older one. The older one has kept its upload, and resumes it when it
                // is run again.
                try await site.expectObject("file", equals: files[1])
                _ = try await agent.run(site.push(files[0]) + ["--if-exists", "replace"])
                try await site.expectObject("file", equals: files[0])
                try await site.expectNothingUnfinished()
            }
        }

        /// The second agent starts when the first has stored some parts.
        private func pushAtOnce(
            _ agents: [AgentHandle], _ files: [URL], of site: Site, first status: Int32 = 0
        ) async throws {
            try await agents[0].start(site.slowPush(files[0])) { first in
                try await first.waitForStoredParts(2)
                try await agents[1].start(site.slowPush(files[1])) { second in
                    for (program, status) in [(first, status), (second, 0)] {
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(status), "\(program.transcript)")
                    }
                }
            }
        }
    }
}
