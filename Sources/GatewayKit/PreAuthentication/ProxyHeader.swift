/// The header of the PROXY protocol, version 2, by which a TCP balancer names the address that a connection comes from.
/// The source of the format: "The PROXY protocol", versions 1 and 2, by Willy Tarreau.
package struct ProxyHeader: Equatable, Sendable {
    /// From where a connection comes.
    package enum Source: Equatable, Sendable {
        /// From the balancer itself, for example a health check; or the balancer does not name the peer's address.
        case balancer
        /// From a peer whose address the balancer names: 4 bytes of IPv4, or 16 bytes of IPv6.
        case peer(address: [UInt8], port: UInt16)
    }

    package let source: Source
    /// Length of the header in bytes. The peer's bytes follow it.
    package let byteCount: Int

    /// Longest header that is read: that of two addresses and 500 bytes of further fields, which are ignored.
    package static let bytesMax = 536

    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let beginningBytes = 16

    /// Reads the header at the beginning of a connection.
    ///
    /// - Parameter bytes: what has arrived.
    /// - Returns: `nil` if the header has not arrived completely.
    /// - Throws: as soon as the bytes cannot become a header that the gateway accepts, however few they are.
    package static func read(_ bytes: some Collection<UInt8>) throws(ProxyHeaderError) -> ProxyHeader? {
        let beginning = Array(bytes.prefix(beginningBytes))
        guard zip(beginning, signature).allSatisfy(==) else { throw .noHeader }
        if beginning.count > 12, !(0x20...0x21).contains(beginning[12]) { throw .version }
        if beginning.count > 13, ![0x00, 0x11, 0x21].contains(beginning[13]) { throw .family }
        guard beginning.count == beginningBytes else { return nil }
        let (isLocal, family) = (beginning[12] == 0x20, beginning[13])
        let rest = Int(beginning[14]) << 8 | Int(beginning[15])
        let byteCount = beginningBytes + rest
        guard byteCount <= bytesMax else { throw .tooLong }
        let addressBytes = family == 0x11 ? 4 : family == 0x21 ? 16 : 0
        // The header must contain both addresses and both ports, even if the connection comes from the balancer itself.
        guard rest >= (addressBytes == 0 ? 0 : 2 * addressBytes + 4) else { throw .tooShort }
        let header = Array(bytes.prefix(byteCount))
        guard header.count == byteCount else { return nil }
        guard !isLocal, addressBytes > 0 else { return ProxyHeader(source: .balancer, byteCount: byteCount) }
        let address = header[beginningBytes..<(beginningBytes + addressBytes)]
        let port = beginningBytes + 2 * addressBytes
        return ProxyHeader(
            source: .peer(address: Array(address), port: UInt16(header[port]) << 8 | UInt16(header[port + 1])),
            byteCount: byteCount)
    }
}

/// Why the beginning of a connection is not a PROXY header that the gateway accepts.
package enum ProxyHeaderError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The connection does not begin with the header's signature.
    case noHeader
    /// The header has another version than 2, or another command than LOCAL and PROXY.
    case version
    /// The header has addresses of another kind than TCP over IPv4 or IPv6.
    case family
    case tooLong
    /// The header is too short for its addresses.
    case tooShort

    package var description: String {
        switch self {
        case .noHeader: "the connection does not begin with a header of the PROXY protocol, version 2"
        case .version: "the header has another version or command"
        case .family: "the header has addresses of another kind than TCP over IPv4 or IPv6"
        case .tooLong: "the header is longer than \(ProxyHeader.bytesMax) bytes"
        case .tooShort: "the header is too short for its addresses"
        }
    }
}
