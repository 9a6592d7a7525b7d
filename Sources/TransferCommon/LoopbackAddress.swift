/// Decides whether a text names this machine's loopback interface. A host name that only looks like an address, such as
/// `127.example.org`, is no loopback address: its owner decides which machine it names.
package enum LoopbackAddress {
    /// Whether the text is a loopback address: an IPv4 address of 127.0.0.0/8, `::1`, or such an IPv4 address in its
    /// IPv6 form (`::ffff:127.0.0.1`). Use it for the address of a connected or bound socket.
    package static func isLoopback(address: String) -> Bool {
        if let bytes = ipv4(address) { return bytes[0] == 127 }
        guard let groups = ipv6(address) else { return false }
        if groups.dropLast().allSatisfy({ $0 == 0 }) { return groups[7] == 1 }
        return groups[..<5].allSatisfy { $0 == 0 } && groups[5] == 0xFFFF && groups[6] >> 8 == 127
    }

    /// Whether the host is a loopback address or the name `localhost`. The system's resolver may give any address for
    /// this name, so compare the socket's address with `isLoopback(address:)` as well.
    package static func isLoopback(host: String) -> Bool {
        host.utf8.elementsEqual("localhost".utf8) || isLoopback(address: host)
    }

    /// The four bytes of an IPv4 address in its only form without ambiguity: four decimal numbers without leading
    /// zeros. Some resolvers also take `127.1` or `0177.0.0.1`, but not all of them read the same address.
    private static func ipv4(_ text: String) -> [UInt8]? {
        let fields = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard fields.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for field in fields {
            guard (1...3).contains(field.count), field.count == 1 || field.first != UInt8(ascii: "0") else {
                return nil
            }
            var value = 0
            for digit in field {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                value = value * 10 + Int(digit - UInt8(ascii: "0"))
            }
            guard let byte = UInt8(exactly: value) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// The eight groups of an IPv6 address; `nil` for other texts and for addresses with a zone (`%lo`).
    private static func ipv6(_ text: String) -> [UInt16]? {
        let fields = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard (3...9).contains(fields.count) else { return nil }
        // An empty field stands for omitted zeros. A double colon at the beginning or end of the text makes two empty
        // fields, so remove one.
        var parts = fields.map { String(decoding: $0, as: UTF8.self) }
        if parts.first == "", parts[1] == "" { parts.removeFirst() }
        if parts.last == "", parts[parts.count - 2] == "" { parts.removeLast() }
        guard parts.count(where: \.isEmpty) <= 1 else { return nil }
        var groups: [UInt16] = []
        var gap: Int?
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                gap = groups.count
            } else if index == parts.count - 1, let bytes = ipv4(part) {
                groups.append(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
                groups.append(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
            } else {
                guard part.utf8.count <= 4, part.utf8.allSatisfy(isHexDigit), let group = UInt16(part, radix: 16) else {
                    return nil
                }
                groups.append(group)
            }
        }
        guard let gap else { return groups.count == 8 ? groups : nil }
        guard groups.count < 8 else { return nil }
        groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
        return groups
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
