import GatewayKit
import Testing

/// Tests of reading the PROXY header, with which a balancer begins each connection.
@Suite struct ProxyHeaderTests {
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    private static func header(_ command: UInt8, _ family: UInt8, _ rest: [UInt8]) -> [UInt8] {
        signature + [command, family, UInt8(rest.count >> 8), UInt8(rest.count & 0xFF)] + rest
    }

    private static let short: [UInt8] = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0x1C, 0xFC]
    private static let long =
        [0x20, 1, 0x0D, 0xB8] + Array(repeating: UInt8(0), count: 11) + [9] + Array(repeating: 7, count: 16)
        + [0, 80, 1, 2]

    @Test(arguments: [
        (header(0x21, 0x11, short), ProxyHeader.Source.peer(address: [192, 0, 2, 1], port: 0x1234)),
        (header(0x21, 0x11, short + [4, 0, 1, 9]), .peer(address: [192, 0, 2, 1], port: 0x1234)),
        (header(0x21, 0x21, long), .peer(address: Array(long[..<16]), port: 80)),
        (header(0x20, 0x00, []), .balancer), (header(0x20, 0x11, short), .balancer),
        (header(0x21, 0x00, []), .balancer),
        (header(0x21, 0x00, [1, 2, 3]), .balancer),
        (header(0x21, 0x11, short + Array(repeating: 0, count: 508)), .peer(address: [192, 0, 2, 1], port: 0x1234)),
    ])
    func readsHeaders(bytes: [UInt8], source: ProxyHeader.Source) throws {
        for count in 0..<bytes.count { #expect(try ProxyHeader.read(bytes[..<count]) == nil, "\(count) bytes") }
        let header = try #require(try ProxyHeader.read(bytes))
        #expect(header.source == source)
        #expect(header.byteCount == bytes.count)
        #expect(try ProxyHeader.read(bytes + [0x16, 3, 1]) == header)
    }

    /// A wrong beginning is refused at its first wrong byte.
    @Test(
        arguments: [
            ([0x16], ProxyHeaderError.noHeader), (Array("P".utf8), .noHeader),
            (signature.dropLast() + [0], .noHeader), (signature + [0x11], .version), (signature + [0x22], .version),
            (signature + [0x31], .version), (signature + [0x21, 0x12], .family), (signature + [0x21, 0x31], .family),
            (signature + [0x20, 0x01], .family), (signature + [0x21, 0x11, 2, 9], .tooLong),
            (signature + [0x21, 0x11, 0xFF, 0xFF], .tooLong), (signature + [0x21, 0x11, 0, 11], .tooShort),
            (signature + [0x20, 0x21, 0, 35], .tooShort),
        ] as [([UInt8], ProxyHeaderError)])
    func refusesEverythingElse(bytes: [UInt8], error: ProxyHeaderError) {
        #expect(throws: error) { try ProxyHeader.read(bytes) }
        #expect(throws: Never.self) { try ProxyHeader.read(bytes.dropLast(bytes.count > 13 ? 2 : 1)) }
        #expect(!error.description.isEmpty)
    }
}
