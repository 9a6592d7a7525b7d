import SecureChannel
package import TransferCore

/// The devices that may use a site: a text file in the spirit of `authorized_keys`, one device a line.
///
///     # name  fingerprint  options
///     cam1  sha256:9f86…0a08  prefix=cam1/
///
/// Names have letters, digits, `.`, `_` and `-`, at most 64. A device without a prefix may write any key.
package struct DeviceList: Equatable, Sendable {
    package private(set) var devices: [AuthorisedDevice] = []

    package static let fileBytesMax = 16 << 20

    package init() {}

    /// - Parameter text: the file's content.
    /// - Throws: with the line's number and what is wrong with it; a list that is half understood is not used.
    package init(parsing text: String) throws(DeviceListError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.prefix { $0 != "#" }
            let fields = content.split(whereSeparator: \.isWhitespace).map(String.init)
            guard !fields.isEmpty else { continue }
            do {
                try add(try Self.device(fields))
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
        switch PrefixOption.read(fields.dropFirst(2)) {
        case .success(let prefix):
            return AuthorisedDevice(name: fields[0], fingerprint: fingerprint.digest, prefix: prefix)
        case .failure(let option):
            throw DeviceListError("the option \(option.text) is not known")
        }
    }

    /// Adds a device; one of the same name or fingerprint is refused.
    package mutating func add(_ device: AuthorisedDevice) throws(DeviceListError) {
        guard Self.isName(device.name) else {
            throw DeviceListError("a name has letters, digits, dots, underscores and hyphens, at most 64")
        }
        guard KeyRule.isPrefix(device.prefix) else {
            throw DeviceListError("a prefix is empty, or a clean key that ends in a slash, as in --prefix cam3/")
        }
        guard !device.prefix.contains(where: { $0.isWhitespace || $0 == "#" }) else {
            throw DeviceListError("a prefix has no spaces and no number signs")
        }
        guard !devices.contains(where: { $0.name == device.name }) else {
            throw DeviceListError("the name \(device.name) is taken; sluice-gateway device list shows the devices")
        }
        guard !devices.contains(where: { $0.fingerprint == device.fingerprint }) else {
            throw DeviceListError("a device with this fingerprint is there already")
        }
        devices.append(device)
    }

    /// - Returns: whether there was one of that name.
    package mutating func remove(name: String) -> Bool {
        let count = devices.count
        devices.removeAll { $0.name == name }
        return devices.count < count
    }

    /// The file's content.
    package var text: String {
        let lines = devices.map { device in
            "\(device.name)  \(Fingerprint(device.fingerprint))\(PrefixOption.text(device.prefix))\n"
        }
        return "# name  fingerprint  options: prefix=KEYS/\n" + lines.joined()
    }

    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
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
