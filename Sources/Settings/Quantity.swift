import TransferCommon

/// A number of bytes in the form in which people write it, with a unit: `8MiB`, `500kB`, `64B`. A number without a unit
/// is refused.
package struct ByteSize: Equatable, Sendable {
    package let bytes: UInt64

    package init(bytes: UInt64) {
        self.bytes = bytes
    }

    package init?(argument: String) {
        guard let bytes = scaled(argument, units: Self.units) else { return nil }
        self.bytes = bytes
    }

    package var defaultValueDescription: String {
        for (unit, scale) in [("GiB", UInt64(1) << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where bytes >= scale && bytes.isMultiple(of: scale) {
            return "\(bytes / scale)\(unit)"
        }
        return "\(bytes)B"
    }

    static let units: [(String, Double)] = [
        ("B", 1), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12),
        ("KiB", 1_024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
    ]
}

/// A rate in the form in which people write it: `20MB/s` or `10Mbit/s`. A number without a unit is refused, because it
/// could mean bits or bytes.
package struct ByteRate: Equatable, Sendable {
    package let bytesPerSecond: UInt64

    package init?(argument: String) {
        let bits: [(String, Double)] = [
            ("bit/s", 1 / 8), ("kbit/s", 1e3 / 8), ("Mbit/s", 1e6 / 8), ("Gbit/s", 1e9 / 8),
        ]
        let units = ByteSize.units.map { ($0.0 + "/s", $0.1) } + bits
        guard let bytes = scaled(argument, units: units), bytes > 0 else { return nil }
        self.bytesPerSecond = bytes
    }
}

/// A length of time in the form in which people write it: `30s`, `5min`, `2h`, `7d`, `250ms`. A number without a unit
/// is refused.
package struct TimeSpan: Equatable, Sendable {
    package let duration: Duration

    package init?(argument: String) {
        let units: [(String, Double)] = [("ms", 1), ("s", 1e3), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)]
        guard let milliseconds = scaled(argument, units: units) else { return nil }
        self.duration = .milliseconds(Int64(clamping: milliseconds))
    }
}

/// An address with its port, `HOST:PORT` or `[IPV6]:PORT`.
package struct Endpoint: Equatable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var host = String(argument[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        // A single bracket, as in "[::1:7420", is a typing error and no part of a host name.
        guard !host.isEmpty, !host.utf8.contains(where: { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }) else {
            return nil
        }
        self.host = host
        self.port = Int(port)
    }

    package var description: String { HostAndPort.text(host: host, port: port) }

    /// Whether a peer can connect to this address. `false` for a wildcard address and for port 0, which only a server
    /// can use.
    package var isReachable: Bool { !["0.0.0.0", "::", "*"].contains(host) && port != 0 }

    /// Whether the host is this machine's loopback interface, as far as its text tells (`LoopbackAddress`).
    package var isLoopback: Bool { LoopbackAddress.isLoopback(host: host) }
}

private func scaled(_ text: String, units: [(String, Double)]) -> UInt64? {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = text.dropFirst(digits.count)
    guard let number = Double(digits), let scale = units.first(where: { $0.0 == unit })?.1 else { return nil }
    let value = (number * scale).rounded()
    guard value >= 0, value < 9e18 else { return nil }
    return UInt64(value)
}
