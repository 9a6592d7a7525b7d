import TransferCommon

/// A number of bytes in the form in which people write it, with a unit: `8MiB`, `500kB`, `64B`. A number without a unit
/// is refused.
package struct ByteSize: Equatable, Sendable, CustomStringConvertible {
    package let bytes: UInt64

    package init(bytes: UInt64) {
        self.bytes = bytes
    }

    package init?(argument: String) {
        guard let bytes = scaled(argument, units: Self.units) else { return nil }
        self.bytes = bytes
    }

    /// The size with the largest unit that leaves a whole number.
    package var description: String {
        let binary: [(String, UInt64)] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        let decimal: [(String, UInt64)] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)]
        return whole(bytes, binary + decimal, smallest: "B")
    }

    static let units: [(String, Double)] = [
        ("B", 1), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12),
        ("KiB", 1_024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
    ]
}

/// A rate in the form in which people write it: `20MB/s` or `10Mbit/s`. A number without a unit is refused, because it
/// could mean bits or bytes.
package struct ByteRate: Equatable, Sendable, CustomStringConvertible {
    package let bytesPerSecond: UInt64

    package init(bytesPerSecond: UInt64) {
        self.bytesPerSecond = bytesPerSecond
    }

    package init?(argument: String) {
        guard let bytes = scaled(argument, units: Self.units), bytes > 0 else { return nil }
        self.bytesPerSecond = bytes
    }

    /// The rate with the largest unit that leaves a whole number.
    package var description: String {
        whole(bytesPerSecond, [("GB/s", 1_000_000_000), ("MB/s", 1_000_000), ("kB/s", 1_000)], smallest: "B/s")
    }

    static let units: [(String, Double)] =
        ByteSize.units.map { ($0.0 + "/s", $0.1) } + [
            ("bit/s", 1 / 8), ("kbit/s", 1e3 / 8), ("Mbit/s", 1e6 / 8), ("Gbit/s", 1e9 / 8),
        ]
}

/// A length of time in the form in which people write it: `30s`, `5min`, `2h`, `7d`, `250ms`. A number without a unit
/// is refused.
package struct TimeSpan: Equatable, Sendable, CustomStringConvertible {
    package let duration: Duration

    package init(_ duration: Duration) {
        self.duration = duration
    }

    package init?(argument: String) {
        guard let milliseconds = scaled(argument, units: Self.units) else { return nil }
        self.duration = .milliseconds(Int64(clamping: milliseconds))
    }

    /// The time with the largest unit that leaves a whole number.
    package var description: String {
        let (seconds, attoseconds) = duration.components
        let (thousands, isTooLong) = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000)
        guard !isTooLong else { return "\(seconds)s" }
        let milliseconds = min(thousands, .max - 1_000) + UInt64(clamping: attoseconds / 1_000_000_000_000_000)
        guard milliseconds > 0 else { return "0s" }
        return whole(
            milliseconds, [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)], smallest: "ms")
    }

    static let units: [(String, Double)] = [("ms", 1), ("s", 1e3), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)]
}

/// An address with its port, `HOST:PORT` or `[IPV6]:PORT`.
package struct Endpoint: Equatable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    /// - Parameter host: without brackets.
    package init(host: String, port: UInt16) {
        self.host = host
        self.port = Int(port)
    }

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

/// The value with the first unit that divides it. `units` begins with the largest.
private func whole(_ value: UInt64, _ units: [(String, UInt64)], smallest: String) -> String {
    for (unit, scale) in units where value >= scale && value.isMultiple(of: scale) { return "\(value / scale)\(unit)" }
    return "\(value)\(smallest)"
}
