import Cryptography
import SecureChannel
import TransferCommon
package import TransferCore
import WireProtocol

/// The devices that may use a site: a text file in the spirit of `authorized_keys`, one device a line.
///
///     # name  fingerprint  options
///     cam1  sha256:9f86…0a08  prefix=cam1/  sessions=100  budget=16MiB
///     cam2  certificate       prefix=yard/
///     cam3  revoked
///
/// Names have letters, digits, `.`, `_` and `-`, at most 64. A device without a prefix may write any key.
/// Where a line sets no limits, those of the site hold (`DeviceOptions`).
///
/// The words in place of a fingerprint are for sites with an authority (`serve --ca`), whose devices need no line: who
/// has a certificate with a name may write below `NAME/`. *certificate* gives it other options, *revoked* refuses it.
/// A name stands on one line only, and one with a fingerprint is that key's: no certificate gives it to another.
package struct DeviceList: Equatable, Sendable {
    /// Those with a fingerprint.
    package private(set) var devices: [AuthorisedDevice] = []

    /// What the list says of names in certificates.
    package private(set) var certificateRules: [CertificateRule] = []
    /// Of all lines, so that a long list is read in one go.
    private var names: Set<String> = []
    private var fingerprints: Set<SHA256Digest> = []

    package static let fileBytesMax = 16 << 20

    package init() {}

    /// - Parameter text: the file's content.
    /// - Throws: with the line's number and what is wrong with it; a list that is half understood is not used.
    package init(parsing text: String) throws(DeviceListError) {
        // By scalars: as characters, CR LF is no end of a line, and a mark behind a letter may swallow it.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let content = line.prefix { $0 != "#" }
            let fields = content.split(whereSeparator: \.properties.isWhitespace).map { String(Substring($0)) }
            guard !fields.isEmpty else { continue }
            do {
                if let rule = try CertificateRule(fields) {
                    try add(rule)
                } else {
                    try add(try Self.device(fields))
                }
            } catch {
                throw DeviceListError(line: index + 1, problem: error.problem)
            }
        }
    }

    private static func device(_ fields: [String]) throws(DeviceListError) -> AuthorisedDevice {
        guard fields.count >= 2 else { throw DeviceListError("a device needs a name and a fingerprint") }
        guard let fingerprint = Fingerprint(fields[1]) else {
            throw DeviceListError("the fingerprint is not sha256: and 64 hexadecimal digits")
        }
        let options = try DeviceOptions(fields.dropFirst(2))
        return AuthorisedDevice(
            name: fields[0], fingerprint: fingerprint.digest, prefix: options.prefix, limits: options.limits)
    }

    /// Adds a device; one of the same name or fingerprint is refused.
    package mutating func add(_ device: AuthorisedDevice) throws(DeviceListError) {
        try check(name: device.name, device.options)
        guard fingerprints.insert(device.fingerprint).inserted else {
            throw DeviceListError("a device with this fingerprint is there already")
        }
        names.insert(device.name)
        devices.append(device)
    }

    /// Adds what the list shall say of a name in certificates; a name that is on it already is refused.
    package mutating func add(_ rule: CertificateRule) throws(DeviceListError) {
        try check(name: rule.name, rule.options)
        names.insert(rule.name)
        certificateRules.append(rule)
    }

    private func check(name: String, _ options: DeviceOptions?) throws(DeviceListError) {
        guard DeviceName.isUsable(name) else { throw DeviceListError("a name has \(DeviceName.rule)") }
        try options?.check()
        guard !has(name) else {
            throw DeviceListError("the name \(name) is taken; sluice-gateway device list shows the devices")
        }
    }

    /// Whether there is a line of that name.
    package func has(_ name: String) -> Bool { names.contains(name) }

    /// Whether a name is refused.
    package func hasRevoked(_ name: String) -> Bool {
        certificateRules.contains { $0.name == name && $0.options == nil }
    }

    /// A name that was refused may be used again.
    package mutating func forgive(_ name: String) {
        if hasRevoked(name) { _ = remove(name: name) }
    }

    /// - Returns: whether there was a line of that name.
    package mutating func remove(name: String) -> Bool {
        guard names.remove(name) != nil else { return false }
        for device in devices where device.name == name { fingerprints.remove(device.fingerprint) }
        devices.removeAll { $0.name == name }
        certificateRules.removeAll { $0.name == name }
        return true
    }

    /// The file's content.
    package var text: String {
        let lines = devices.map { device in
            "\(device.name)  \(Fingerprint(device.fingerprint))\(device.options.text())\n"
        }
        return "# name  fingerprint  options: \(DeviceOptions.summary)\n"
            + (lines + certificateRules.map { $0.line + "\n" }).joined()
    }
}

extension AuthorisedDevice {
    fileprivate var options: DeviceOptions { DeviceOptions(prefix: prefix, limits: limits) }
}

/// What is wrong with a device, or with a line of the list.
package struct DeviceListError: Error, Equatable, Sendable, CustomStringConvertible {
    package let line: Int?
    package let problem: String

    init(line: Int? = nil, _ problem: String) {
        self.line = line
        self.problem = problem
    }

    init(line: Int, problem: String) {
        self.init(line: line, problem)
    }

    package var description: String {
        line.map { "line \($0) of the device list: \(problem)" } ?? problem
    }
}
