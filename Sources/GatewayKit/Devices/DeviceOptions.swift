import TransferCommon
package import TransferCore

/// The optional fields at the end of a line in the device list and in the file of invitations:
///
///     prefix=KEYS/  connections=4  sessions=100  budget=16MiB
package struct DeviceOptions: Equatable, Sendable {
    /// Start of every key that the device may write. It ends in `/`, or is empty for a device that may write any key.
    package var prefix: String
    package var limits: DeviceLimits

    package init(prefix: String, limits: DeviceLimits = DeviceLimits()) {
        self.prefix = prefix
        self.limits = limits
    }

    /// - Parameter prefix: the prefix that the operator chose; `nil` for the usual prefix of the device.
    package init(device name: String, prefix: String?, limits: DeviceLimits = DeviceLimits()) {
        self.init(prefix: prefix ?? Self.usualPrefix(name: name), limits: limits)
    }

    /// The prefix `NAME/`, which a device has unless the operator chooses another. Devices therefore cannot write each
    /// other's keys by default.
    package static func usualPrefix(name: String) -> String { name + "/" }

    /// The options as the comments at the top of the device list and of the file of invitations show them.
    static let summary = "prefix=KEYS/ connections=N sessions=N budget=NMiB"

    private static let mebibyte: UInt64 = 1 << 20

    /// - Parameters:
    ///   - fields: the fields of a line after the required ones. If an option appears twice, the last value counts.
    ///   - name: the device's name, from which the prefix follows if the line has no `prefix=` field.
    init(_ fields: some Sequence<String>, device name: String) throws(DeviceListError) {
        self.init(device: name, prefix: nil)
        for field in fields {
            // Split bytes, not characters: an equals sign and a combining mark after it form one character, which does
            // not equal `=`.
            let parts = field.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? String(decoding: parts[1], as: UTF8.self) : ""
            switch String(decoding: parts[0], as: UTF8.self) {
            case "prefix" where parts.count == 2: prefix = value
            case "connections": limits.connectionsMax = try Self.count(value, field)
            case "sessions": limits.sessionsMax = try Self.count(value, field)
            case "budget": limits.budgetBytes = try Self.bytes(value, field)
            default: throw DeviceListError("the option \(field) is not known; there are \(Self.summary)")
            }
        }
    }

    /// Whether the optional fields of a line state a prefix.
    static func statePrefix(_ fields: some Sequence<String>) -> Bool {
        fields.contains { $0.utf8.starts(with: "prefix=".utf8) }
    }

    private static func count(_ value: String, _ field: String) throws(DeviceListError) -> Int {
        guard let count = number(value), count >= 1, let count = Int(exactly: count) else {
            throw DeviceListError("\(field) must be a positive integer, as in sessions=100")
        }
        return count
    }

    private static func bytes(_ value: String, _ field: String) throws(DeviceListError) -> UInt64 {
        let unit = "MiB"
        guard value.hasSuffix(unit), let count = number(String(value.dropLast(unit.count))) else {
            throw DeviceListError("\(field) must be a whole number of MiB, as in budget=16MiB")
        }
        let (bytes, isTooMuch) = count.multipliedReportingOverflow(by: mebibyte)
        return isTooMuch ? .max / mebibyte * mebibyte : bytes
    }

    /// Parses decimal digits only: no sign, no spaces.
    private static func number(_ text: String) -> UInt64? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? UInt64(text) : nil
    }

    /// Throws if the file format cannot express these options.
    package func check() throws(DeviceListError) {
        guard limits.connectionsMax ?? 1 >= 1, limits.sessionsMax ?? 1 >= 1 else {
            throw DeviceListError("a device needs one connection and one session at least")
        }
        let bytes = limits.budgetBytes ?? DeviceLimits.budgetBytesMin
        guard bytes >= DeviceLimits.budgetBytesMin, bytes.isMultiple(of: Self.mebibyte) else {
            throw DeviceListError(
                "a device's budget must be a whole number of MiB, at least 8MiB, as in --budget 16MiB")
        }
        guard KeyRule.isPrefix(prefix) else {
            throw DeviceListError("a prefix must be empty, or a valid key that ends in a slash, as in --prefix cam3/")
        }
        guard !prefix.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0 == "#" }) else {
            throw DeviceListError("a prefix must not contain spaces or number signs")
        }
    }

    /// Which keys the device may write, as a sentence for the operator.
    package func permission(of name: String) -> String {
        prefix.isEmpty
            ? "\(name) may write any key, also the keys of other devices."
            : "\(name) may write the keys that begin with \(prefix)"
    }

    /// The optional fields of a line, each after two spaces. The prefix is always written, so that a reader of the list
    /// sees for each device which keys it may write. Limits that are not set are left out.
    var text: String {
        var options = ["prefix=\(prefix)"]
        if let count = limits.connectionsMax { options.append("connections=\(count)") }
        if let count = limits.sessionsMax { options.append("sessions=\(count)") }
        if let bytes = limits.budgetBytes { options.append("budget=\(bytes / Self.mebibyte)MiB") }
        return options.map { "  " + $0 }.joined()
    }
}
