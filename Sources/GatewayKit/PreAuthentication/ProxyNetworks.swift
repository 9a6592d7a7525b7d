package import NIOCore

/// The networks of the balancers that begin every connection with a PROXY header.
package struct ProxyNetworks: Equatable, Sendable {
    private struct Network: Equatable {
        /// 4 bytes of IPv4, or 16 bytes of IPv6.
        var address: [UInt8]
        var bitCount: Int

        func contains(_ other: [UInt8]) -> Bool {
            other.count == address.count && ProxyNetworks.masked(other, bitCount) == address
        }
    }

    private var networks: [Network] = []
    /// The list as it was written; empty for an empty list.
    package private(set) var text = ""

    /// Makes an empty list: no connection has a header.
    package init() {}

    /// Parses a list of networks.
    ///
    /// - Parameter text: addresses and networks with commas between them, as in `10.0.0.0/8,2001:db8::1`.
    /// - Returns: `nil` if the text is empty, or if one of the networks is invalid or has bits beyond the length of its
    ///   prefix.
    package init?(parsing text: String) {
        self.text = text
        let items = text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        for item in items {
            let fields = item.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard let address = fields.first.flatMap({ IPAddress($0) })?.bytes else { return nil }
            var bitCount = 8 * address.count
            if fields.count == 2 {
                guard fields[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                    let count = Int(fields[1]), count <= bitCount
                else { return nil }
                bitCount = count
            }
            guard Self.masked(address, bitCount) == address else { return nil }
            networks.append(Network(address: address, bitCount: bitCount))
        }
    }

    package var isEmpty: Bool { networks.isEmpty }

    /// Whether an address is in one of the networks.
    package func contains(_ address: SocketAddress?) -> Bool {
        guard let bytes = address.flatMap({ IPAddress($0) })?.bytes else { return false }
        return networks.contains { $0.contains(bytes) }
    }

    private static func masked(_ address: [UInt8], _ bitCount: Int) -> [UInt8] {
        address.indices.map { index in
            let bits = min(max(bitCount - 8 * index, 0), 8)
            return bits == 0 ? 0 : address[index] & (UInt8.max << (8 - UInt8(bits)))
        }
    }
}
