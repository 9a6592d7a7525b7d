import GatewayKit
import Testing

/// Tests of the addresses on which a gateway may listen without TLS.
@Suite struct PlaintextAddressErrorTests {
    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    func loopbackIsAllowed(address: String) {
        #expect(PlaintextAddressError(bound: address) == nil)
    }

    @Test(arguments: ["0.0.0.0", "10.0.0.1", "::", "fe80::1", nil] as [String?])
    func otherAddressesAreRefused(address: String?) throws {
        let error = try #require(PlaintextAddressError(bound: address))
        let failure = try #require(GatewayFailure(error))
        #expect(failure.exitCode == 64)
        #expect(failure.sentence.hasSuffix("--listen leads to \(address ?? "an unknown address")."))
    }
}
