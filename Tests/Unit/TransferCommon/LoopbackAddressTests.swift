import Testing
import TransferCommon

@Suite struct LoopbackAddressTests {
    @Test(arguments: [
        "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "0000::0001", "::ffff:127.0.0.1", "::FFFF:7f00:1",
        "0:0:0:0:0:ffff:127.1.2.3",
    ])
    func loopbackAddresses(text: String) {
        #expect(LoopbackAddress.isLoopback(address: text))
        #expect(LoopbackAddress.isLoopback(host: text))
    }

    @Test(arguments: [
        "", "127", "127.", "127.1", "127.0.1", "127.0.0.", "127.0.0.1.", "127.0.0.1.example.org", "127.example.org",
        "127.0.0.256", "127.0.0.01", "0127.0.0.1", "0x7f.0.0.1", "2130706433", " 127.0.0.1", "127.0.0.1 ", "１２７.0.0.1",
        "128.0.0.1", "10.0.0.1", "0.0.0.0", "::", "*", ":", ":::", "::1::", "1::1", "::2", "::1:0", "::127.0.0.1",
        "::ffff:128.0.0.1", "::ffff:127.0.0", "::ffff:127.0.0.1:1", "::1%lo", "[::1]", "0:0:0:0:0:0:0:0:1", "::00001",
        "0:0:0:0:0:0:1", "fe80::1", "::+1", "LOCALHOST", "localhost.", "localhost.example.org", "local\u{301}host",
        "1::ffff:127.0.0.1", "::1:ffff:127.0.0.1", "2001:db8::ffff:7f00:1",
    ])
    func otherTexts(text: String) {
        #expect(!LoopbackAddress.isLoopback(address: text))
        #expect(!LoopbackAddress.isLoopback(host: text))
    }

    /// A resolver may give any address for this name, so it is a loopback host and not a loopback address.
    @Test func localhostIsAHostOnly() {
        #expect(LoopbackAddress.isLoopback(host: "localhost"))
        #expect(!LoopbackAddress.isLoopback(address: "localhost"))
    }
}
