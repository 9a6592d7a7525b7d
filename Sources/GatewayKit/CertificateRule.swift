import SecureChannel
import TransferCore

/// What the device list says of a name in certificates of the authority.
///
/// A reader that knows nothing of certificates takes neither word for a fingerprint, and refuses the list.
package struct CertificateRule: Equatable, Sendable {
    package let name: String

    /// Where the device may write, instead of below its name; `nil` where it may do nothing.
    package let prefix: String?

    private static let known = "certificate"
    private static let revoked = "revoked"

    /// Certificates with this name are refused.
    package static func revoked(name: String) -> CertificateRule { CertificateRule(name: name, prefix: nil) }

    /// - Parameter prefix: `nil` for the name and a slash.
    package static func known(name: String, prefix: String?) -> CertificateRule {
        CertificateRule(name: name, prefix: prefix ?? usualPrefix(name: name))
    }

    private init(name: String, prefix: String?) {
        self.name = name
        self.prefix = prefix
    }

    /// - Parameter fields: of a line of the list.
    /// - Returns: `nil` for a line that is about a key.
    init?(_ fields: [String]) throws(DeviceListError) {
        let options = fields.dropFirst(2)
        switch fields.dropFirst().first {
        case Self.revoked:
            guard options.isEmpty else { throw DeviceListError("a revoked name has no options") }
            self.init(name: fields[0], prefix: nil)
        case Self.known:
            let prefix = try PrefixOption.read(options, usual: Self.usualPrefix(name: fields[0]))
            self.init(name: fields[0], prefix: prefix)
        default:
            return nil
        }
    }

    /// As the list has it, without the line's end.
    var line: String {
        prefix.map { "\(name)  \(Self.known)\(PrefixOption.text($0, usual: Self.usualPrefix(name: name)))" }
            ?? "\(name)  \(Self.revoked)"
    }

    /// Where a device may write of which the list says nothing.
    static func usualPrefix(name: String) -> String { name + "/" }
}
