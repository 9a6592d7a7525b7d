import Cryptography
import SecureChannel
import TransferCommon
package import TransferCore
import WireProtocol

/// The devices that may use a site. The file is text in the style of `authorized_keys`, one device a line.
///
///     # name  fingerprint  options
///     cam1  sha256:9f86…0a08  sessions=100  budget=16MiB
///     cam2  certificate       prefix=yard/
///     cam3  revoked
///
/// A name has at most 64 letters, digits, `.`, `_` and `-`. A device may write below `NAME/`, or below the prefix that
/// its line sets; with an empty one (`prefix=`) it may write any key. Where a line sets no limit (`DeviceOptions`), the
/// limit of the site applies.
///
/// Lines with *certificate* or *revoked* in the place of a fingerprint are for sites with an authority (`serve --ca`).
/// A device of such a site needs no line; `NAME` is then the name in its certificate. A line with *certificate* sets
/// other options for the name, and a line with *revoked* makes the gateway refuse certificates with this name. Each
/// name is on one line only. A name with a fingerprint belongs to that key, and no certificate can claim it.
package struct DeviceList: Equatable, Sendable {
    /// Devices whose line has a fingerprint.
    package private(set) var devices: [AuthorisedDevice] = []

    /// Names of the devices whose line has a fingerprint and states no prefix, so that they have the prefix `NAME/`. In
    /// earlier versions such a line allowed any key. In a list that a command has written, every line states its
    /// prefix.
    package private(set) var namesOfAssumedPrefix: [String] = []

    /// Lines about names in certificates.
    package private(set) var certificateRules: [CertificateRule] = []
    /// Lines about names in certificates, by name. The thread that reads the list makes this table, so that the event
    /// loop does not have to go through a long list.
    private var rules: [String: CertificateRule] = [:]
    /// Names of all lines. A set, so that the check for duplicate names takes the same time in a long list as in a
    /// short one.
    private var names: Set<String> = []
    private var fingerprints: Set<SHA256Digest> = []

    package static let fileBytesMax = 16 << 20

    package init() {}

    /// Parses the file.
    ///
    /// - Parameter text: the file's content.
    /// - Throws: the line's number and the problem. A list with one invalid line is refused as a whole.
    package init(parsing text: String) throws(DeviceListError) {
        // Split Unicode scalars, not characters: CR LF is one character, and a combining mark joins the letter before
        // it.
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
                    if !DeviceOptions.statePrefix(fields.dropFirst(2)) { namesOfAssumedPrefix.append(fields[0]) }
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
        let options = try DeviceOptions(fields.dropFirst(2), device: fields[0])
        return AuthorisedDevice(
            name: fields[0], fingerprint: fingerprint.digest, prefix: options.prefix, limits: options.limits)
    }

    /// Lists are equal if their lines mean the same.
    package static func == (left: DeviceList, right: DeviceList) -> Bool {
        left.devices == right.devices && left.certificateRules == right.certificateRules
    }

    /// Adds a device. Throws if the name or the fingerprint is on the list already.
    package mutating func add(_ device: AuthorisedDevice) throws(DeviceListError) {
        try check(name: device.name, device.options)
        guard fingerprints.insert(device.fingerprint).inserted else {
            throw DeviceListError("a device with this fingerprint is on the list already")
        }
        names.insert(device.name)
        devices.append(device)
    }

    /// Adds a certificate rule. Throws if the name is on the list already.
    package mutating func add(_ rule: CertificateRule) throws(DeviceListError) {
        try check(name: rule.name, rule.options)
        names.insert(rule.name)
        rules[rule.name] = rule
        certificateRules.append(rule)
    }

    private func check(name: String, _ options: DeviceOptions?) throws(DeviceListError) {
        guard DeviceName.isUsable(name) else { throw DeviceListError("a name must have \(DeviceName.rule)") }
        try options?.check()
        guard !has(name) else {
            throw DeviceListError("the name \(name) is taken; sluice-gateway device list shows the devices")
        }
    }

    /// Whether a line of the list has this name.
    package func has(_ name: String) -> Bool { names.contains(name) }

    /// Names of the devices with an empty prefix, which may write any key.
    var namesWithoutPrefix: [String] {
        devices.filter { $0.prefix.isEmpty }.map(\.name)
            + certificateRules.filter { $0.options?.prefix.isEmpty == true }.map(\.name)
    }

    /// The line about certificates with this name, if any.
    func rule(of name: String) -> CertificateRule? { rules[name] }

    /// Whether a line with a fingerprint has this name.
    func hasPinned(_ name: String) -> Bool { has(name) && rules[name] == nil }

    /// Whether the list revokes this name.
    package func hasRevoked(_ name: String) -> Bool { rules[name].map { $0.options == nil } ?? false }

    /// Removes the revocation of a name, so that the name can be used again.
    package mutating func forgive(_ name: String) {
        if hasRevoked(name) { _ = remove(name: name) }
    }

    /// Removes the line with this name.
    ///
    /// - Returns: whether the list had one.
    package mutating func remove(name: String) -> Bool {
        guard names.remove(name) != nil else { return false }
        for device in devices where device.name == name { fingerprints.remove(device.fingerprint) }
        devices.removeAll { $0.name == name }
        namesOfAssumedPrefix.removeAll { $0 == name }
        rules[name] = nil
        certificateRules.removeAll { $0.name == name }
        return true
    }

    /// The list as file content.
    package var text: String {
        let lines = devices.map { device in
            "\(device.name)  \(Fingerprint(device.fingerprint))\(device.options.text)\n"
        }
        return "# name  fingerprint  options: \(DeviceOptions.summary)\n"
            + (lines + certificateRules.map { $0.line + "\n" }).joined()
    }
}

extension AuthorisedDevice {
    fileprivate var options: DeviceOptions { DeviceOptions(prefix: prefix, limits: limits) }
}

/// A problem of one device or of one line of the list.
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
