package import TransferCore

/// What the device list says of a name in certificates of the authority.
///
/// A reader that knows nothing of certificates takes neither word for a fingerprint, and refuses the list.
package struct CertificateRule: Equatable, Sendable {
    package let name: String

    /// Where the device may write, and within what limits; `nil` where it may do nothing.
    package let options: DeviceOptions?

    private static let known = "certificate"
    private static let revoked = "revoked"

    /// Certificates with this name are refused.
    package static func revoked(name: String) -> CertificateRule { CertificateRule(name: name, options: nil) }

    /// - Parameter prefix: `nil` for the name and a slash.
    package static func known(name: String, prefix: String?, limits: DeviceLimits = DeviceLimits()) -> CertificateRule {
        CertificateRule(name: name, options: DeviceOptions(prefix: prefix ?? usualPrefix(name: name), limits: limits))
    }

    private init(name: String, options: DeviceOptions?) {
        self.name = name
        self.options = options
    }

    /// - Parameter fields: of a line of the list.
    /// - Returns: `nil` for a line that is about a key.
    init?(_ fields: [String]) throws(DeviceListError) {
        let options = fields.dropFirst(2)
        switch fields.dropFirst().first {
        case Self.revoked:
            guard options.isEmpty else { throw DeviceListError("a revoked name has no options") }
            self.init(name: fields[0], options: nil)
        case Self.known:
            let usualPrefix = Self.usualPrefix(name: fields[0])
            self.init(name: fields[0], options: try DeviceOptions(options, usualPrefix: usualPrefix))
        default:
            return nil
        }
    }

    /// As the list has it, without the line's end.
    var line: String {
        options.map { "\(name)  \(Self.known)\($0.text(usualPrefix: Self.usualPrefix(name: name)))" }
            ?? "\(name)  \(Self.revoked)"
    }

    /// Where a device may write of which the list says nothing.
    private static func usualPrefix(name: String) -> String { name + "/" }

    /// What holds for a device of which the list says nothing.
    static func usualOptions(name: String) -> DeviceOptions { DeviceOptions(prefix: usualPrefix(name: name)) }
}
