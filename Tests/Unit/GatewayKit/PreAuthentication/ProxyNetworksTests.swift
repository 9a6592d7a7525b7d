import GatewayKit
import NIOCore
import Testing

/// Tests of the networks that the operator names: the gateway reads a PROXY header from their addresses only.
@Suite struct ProxyNetworksTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.0.0.7", "10.0.0.7", true),
        ("10.0.0.7", "10.0.0.6", false), ("192.0.2.64/26", "192.0.2.127", true),
        ("192.0.2.64/26", "192.0.2.128", false),
        ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false), ("::1,127.0.0.0/8", "127.9.9.9", true),
        ("127.0.0.1", "::ffff:127.0.0.1", true), ("::ffff:127.0.0.1", "127.0.0.1", true),
    ])
    func networksContainTheirAddresses(text: String, address: String, isInside: Bool) throws {
        let networks = try #require(ProxyNetworks(parsing: text))
        #expect(networks.contains(try SocketAddress(ipAddress: address, port: 1)) == isInside)
        #expect(!networks.contains(nil))
    }

    @Test(arguments: [
        "", ",", "10.0.0.0/8,", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0",
        "localhost", "2001:db8::/129", "2001:db8::1/64", " 10.0.0.1", "[::1]",
    ])
    func refusesWhatIsNoNetwork(text: String) {
        #expect(ProxyNetworks(parsing: text) == nil)
    }

    @Test func noNetworkContainsNothing() throws {
        #expect(ProxyNetworks().isEmpty)
        #expect(!ProxyNetworks().contains(try SocketAddress(ipAddress: "127.0.0.1", port: 1)))
    }
}
