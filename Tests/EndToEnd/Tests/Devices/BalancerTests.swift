import Cryptography
import Foundation
import NIOCore
import SecureChannel
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of a gateway behind a TCP balancer that names the address of each peer (`serve --proxy-from`).
    @Suite
    struct BalancerTests {
        /// A header that names 192.0.2.77 as the peer's address.
        private static let header: [UInt8] =
            [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12]
            + [192, 0, 2, 77, 127, 0, 0, 1, 0x12, 0x34, 0x1C, 0xFC]

        /// The gateway reads a header only on connections from the balancer, 127.0.0.2. On others a header fails the
        /// TLS handshake.
        @Test func balancerTellsAddresses() async throws {
            try await Site.with { site in
                try await site.withGateway(["--proxy-from", "127.0.0.2", "--verbose"]) { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: 1_000)
                    _ = try await agent.run(site.push(file))
                    try await site.expectObject("file", equals: file)

                    let home = site.path("unlisted")
                    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
                    let unlisted = try Identity.create(in: home, name: "unlisted")
                    let pin = try #require(Fingerprint(try site.pin))
                    let tls = try TLSContext.agent(identity: unlisted, gateway: .pinnedKeys([pin]))
                    let behind = try await HostileClient.secure(
                        to: gateway.port, from: "127.0.0.2", header: Self.header, tls)
                    try await gateway.waitForLog(of: "Refused a device", "192.0.2.77")
                    await behind.close()

                    let silent = try await HostileClient.raw(to: gateway.port, from: "127.0.0.2")
                    silent.say(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
                    try await gateway.waitForLog(of: "no valid PROXY header")
                    await silent.close()

                    let liar = try await HostileClient.raw(to: gateway.port, from: "127.0.0.3")
                    liar.say(ByteBuffer(bytes: Self.header))
                    try await gateway.waitForLog(of: "TLS failed", "127.0.0.3")
                    await liar.close()
                }
            }
        }

        @Test func invalidNetworkIsRefused() async throws {
            try await Site.with { site in
                try await site.administer(
                    ["serve", "--proxy-from", "10.0.0.1/8", "--listen", "127.0.0.1:0"], exits: 64)
            }
        }
    }
}
