import AgentKit
import Testing
import TransferCore

/// Tests of failures that the agent finds before it speaks to a gateway.
@Suite struct UploadFailureTests {
    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    func connectionWithoutTLSStaysOnThisMachine(address: String) {
        #expect(UploadFailure(withoutTLSTo: address, host: "localhost") == nil)
    }

    /// A name that looks like loopback, such as `localhost`, may resolve to an address of another machine. The agent
    /// must then refuse to connect without TLS.
    @Test(arguments: ["10.0.0.1", "::", "fe80::1", nil] as [String?])
    func connectionWithoutTLSToAnotherMachineFails(address: String?) throws {
        let failure = try #require(UploadFailure(withoutTLSTo: address, host: "localhost"))
        #expect(failure.kind == .unreachable)
        #expect(failure.message.hasPrefix("localhost leads to \(address ?? "an unknown address"), and --plaintext"))
    }
}
