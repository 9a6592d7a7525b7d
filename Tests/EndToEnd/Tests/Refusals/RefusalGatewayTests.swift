import Foundation
import NIOCore
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests {
    /// Tests in which the configured address has no server, or a server that is not a gateway.
    @Suite
    struct RefusalGatewayTests {
        @Test func unreachableGatewayIsReportedAfterWaiting() async throws {
            try await Site.with { site in
                var faults = Faults()
                faults.refusesConnections = true
                try await withFaultProxy(upstreamPort: 1, faults: faults) { proxy in
                    let agent = try await site.makeAgent(port: proxy.port)
                    let file = try site.makeLargeFile()
                    let impatient = site.push(file) + ["--retry-for", "2s"]
                    let start = ContinuousClock.now
                    try await agent.expectRefusal(
                        impatient, Refusal(75, "unreachable", "could not be reached", do: "again"))
                    let waited = ContinuousClock.now - start
                    #expect(waited > .seconds(3.8) && waited < .seconds(20), "twice 2 s, and not much more: \(waited)")
                    try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        try await proxy.change { $0.refusesConnections = false }
                        _ = try await agent.run(impatient)
                        try await site.expectObject("file", equals: file)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        /// Files of one run share the time of `--retry-for`. Files that the run has not taken up by then get no line of
        /// their own.
        @Test(arguments: [false, true])
        func manyFilesWaitNoLongerThanOne(isForPeople: Bool) async throws {
            try await Site.with { site in
                let count = 3_000
                for index in 0..<count { _ = try site.makeFile("tree/\(index)", bytes: 10) }
                var faults = Faults()
                faults.refusesConnections = true
                try await withFaultProxy(upstreamPort: 1, faults: faults) { proxy in
                    let agent = try await site.makeAgent(port: proxy.port)
                    let push = ["push", site.path("tree"), "--retry-for", "4s"]
                    let start = ContinuousClock.now
                    if isForPeople {
                        let told = try await agent.runForPeople(push)
                        #expect(told.exitStatus == .exited(75), "\(told.transcript)")
                        #expect(told.lines.count <= 20, "\(told.transcript)")
                        let failures = told.lines(of: .standardError)
                        #expect(failures.contains { $0.contains("were not begun: the gateway could not be reached (") })
                        #expect(!told.lines(of: .standardOutput).contains { $0.contains("could not be reached") })
                        let waits = told.lines(of: .standardError).filter { $0.contains("waiting for gateway") }
                        #expect(waits.count == 1, "\(told.transcript)")
                        #expect(waits.first?.contains("127.0.0.1:\(proxy.port): ") == true, "\(waits)")
                        #expect(waits.first?.hasSuffix("Z, then ends, and the same push continues later") == true)
                    } else {
                        try await agent.expectEnding(push, "unreachable", exits: 75, files: count) { _ in }
                    }
                    let waited = ContinuousClock.now - start
                    #expect(waited > .seconds(4) && waited < .seconds(25), "4 s, and not much more: \(waited)")
                    #expect(try await agent.unfinished() == [])
                }
            }
        }

        @Test func lostGatewayKeepsUpload() async throws {
            try await Site.with { site in
                try await withFaultProxy(upstreamPort: 1) { proxy in
                    let agent = try await site.makeAgent(port: proxy.port)
                    let file = try site.makeLargeFile()
                    let run = try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        return try await agent.start(site.slowPush(file) + ["--retry-for", "2s"]) { program in
                            try await program.waitForStoredParts(3)
                            gateway.program.kill(SIGKILL)
                            let ended = try await program.waitForExit(within: Site.deadline)
                            #expect(ended == .exited(75), "\(program.transcript)")
                            return AgentRun(program)
                        }
                    }
                    try run.expectRefusal(Refusal(75, "unreachable", "could not be reached", do: "again"))
                    #expect(try await agent.unfinished().count == 1)
                    try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        let rest = try await agent.run(site.push(file))
                        #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                        try await site.expectObject("file", equals: file)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        /// What another server may answer at a wrong address.
        enum Garbage: String, CaseIterable {
            case randomBytes
            case zeros
            case webServer
            case sshServer

            var bytes: [UInt8] {
                switch self {
                case .randomBytes: SeededFile(seed: 3, byteCount: 4_096).bytes
                case .zeros: [UInt8](repeating: 0, count: 4_096)
                case .webServer:
                    Array("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
                case .sshServer: Array("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".utf8)
                }
            }
        }

        @Test(arguments: Garbage.allCases, [[], ["--plaintext"]])
        func otherServersAreRefusedAtOnce(garbage: Garbage, transport: [String]) async throws {
            try await Site.with { site in
                try await CannedServer.withServer(answering: garbage.bytes) { port in
                    let agent = try await site.makeAgent(port: port)
                    let file = try site.makeFile("file", bytes: 1_000)
                    try await agent.expectRefusal(
                        ["push", file.path(percentEncoded: false), "--retry-for", "30s"] + transport,
                        Refusal(76, "protocolViolation", "gateway's address", do: "--gateway"))
                    #expect(try fileDigest(file) == fileDigest(site.makeFile("same", bytes: 1_000)))
                }
            }
        }

        @Test func unsupportedVersionIsReported() async throws {
            let report = ErrorReport(
                scope: .connection, code: .versionUnsupported, retryAfterMilliseconds: 0,
                message: "this gateway speaks versions 7 to 9")
            try await expectVersionRefused(.error(report))
            let silent = ErrorReport(
                scope: .connection, code: .versionUnsupported, retryAfterMilliseconds: 0, message: "")
            try await expectVersionRefused(.error(silent))
        }

        @Test func unofferedVersionIsReported() async throws {
            let welcome = Welcome(
                version: WireLimits.version + 8, capabilities: [], slotsMax: 16, chunkBytesMax: 65_536,
                initialCreditBytes: 0, partBytesMin: 1, partBytesMax: 1 << 30, partBytesDefault: 1 << 20,
                partsMax: 10_000, objectBytesMax: 1 << 40, putLimitMilliseconds: 1_000,
                idleLimitMilliseconds: 30_000, serverTime: 0, software: "a gateway of tomorrow", deviceName: "device",
                prefix: "", storeIdentity: .zero)
            try await expectVersionRefused(.welcome(welcome))
        }

        private func expectVersionRefused(_ frame: Frame) async throws {
            try await Site.with { site in
                try await CannedServer.withServer(answering: frame) { port in
                    let agent = try await site.makeAgent(port: port)
                    let file = try site.makeFile("file", bytes: 1_000)
                    try await agent.expectRefusal(
                        ["push", file.path(percentEncoded: false), "--retry-for", "30s", "--plaintext"],
                        Refusal(76, "versionUnsupported", "version", do: "update"))
                }
            }
        }
    }
}
