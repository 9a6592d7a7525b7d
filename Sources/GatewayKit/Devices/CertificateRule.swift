package import TransferCore

/// A line of the device list about a name in certificates. It applies to all certificates with this name that the
/// site's authority has signed.
///
/// Such a line has the word `certificate` or `revoked` where other lines have a fingerprint. An older gateway that does
/// not support certificates cannot parse these words and therefore refuses the whole list, instead of ignoring a
/// revocation.
package struct CertificateRule: Equatable, Sendable {
    package let name: String

    /// The prefix of the device's object keys, and the device's limits; `nil` for a revoked name.
    package let options: DeviceOptions?

    private static let known = "certificate"
    private static let revoked = "revoked"

    /// Makes the rule that certificates with this name are refused.
    package static func revoked(name: String) -> CertificateRule { CertificateRule(name: name, options: nil) }

    /// Makes the rule that certificates with this name are accepted.
    ///
    /// - Parameter prefix: prefix of the device's object keys; `nil` for `NAME/`.
    package static func known(name: String, prefix: String?, limits: DeviceLimits = DeviceLimits()) -> CertificateRule {
        CertificateRule(name: name, options: DeviceOptions(device: name, prefix: prefix, limits: limits))
    }

    private init(name: String, options: DeviceOptions?) {
        self.name = name
        self.options = options
    }

    /// Parses a line of the device list, if it is about a name in certificates.
    ///
    /// - Parameter fields: the whitespace-separated fields of the line.
    /// - Returns: `nil` if the line has neither the word `certificate` nor the word `revoked` after the name.
    init?(_ fields: [String]) throws(DeviceListError) {
        let options = fields.dropFirst(2)
        switch fields.dropFirst().first {
        case Self.revoked:
            guard options.isEmpty else { throw DeviceListError("a revoked name has no options") }
            self.init(name: fields[0], options: nil)
        case Self.known:
            self.init(name: fields[0], options: try DeviceOptions(options, device: fields[0]))
        default:
            return nil
        }
    }

    /// The rule as one line of the device list, without the line feed.
    var line: String {
        options.map { "\(name)  \(Self.known)\($0.text)" } ?? "\(name)  \(Self.revoked)"
    }
}
