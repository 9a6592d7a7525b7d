import GatewayKit
import Testing

/// Tests that the gateway recognizes peers of other protocols.
@Suite struct ForeignProtocolTests {
    @Test(
        arguments: [
            ([0x16, 0x03, 0x01, 0x02], .tls), (Array("GET /".utf8), .http), (Array("SSH-2.0".utf8), .ssh),
            (Array("PRI * HTTP/2.0".utf8), .http), ([0x16], nil), ([], nil), ([0, 0, 0, 32, 1, 0, 0, 0], nil),
            (Array("get".utf8), nil),
        ] as [([UInt8], ForeignProtocol?)])
    func firstBytesTellTheProtocol(bytes: [UInt8], found: ForeignProtocol?) {
        #expect(ForeignProtocol(bytes.prefix(ForeignProtocol.bytesMax)) == found)
    }
}
