import Cryptography
import SecureChannel
import TransferCommon
import TransferCore
import WireProtocol

/// The devices that an authority vouches for: which of their names may come in, and whose connections there are.
///
/// A device is its name here, whatever its key: one with a renewed certificate goes on with its sessions, and fences
/// what is left of its former self.
struct CertifiedDevices {
    private var pinnedNames: Set<String> = []
    private var rules: [String: CertificateRule] = [:]
    private var names: [ConnectionID: String] = [:]
    private var connectionCounts: [String: Int] = [:]

    /// Takes up a list.
    ///
    /// - Returns: all devices that may go on: those of the list, and those vouched for that are connected.
    mutating func listChanged(_ list: DeviceList) -> [AuthorisedDevice] {
        pinnedNames = Set(list.devices.map(\.name))
        rules = Dictionary(list.certificateRules.map { ($0.name, $0) }) { first, _ in first }
        return list.devices + connectionCounts.keys.sorted().compactMap { device(named: $0) }
    }

    /// The device whose certificate has this name; `nil` where the name is no device's, is revoked, or is that of a key
    /// on the list, which no certificate may take the place of.
    func device(named name: String) -> AuthorisedDevice? {
        guard DeviceName.isUsable(name), !pinnedNames.contains(name) else { return nil }
        guard let options = rules[name].map(\.options) ?? CertificateRule.usualOptions(name: name),
            KeyRule.isPrefix(options.prefix), let identity = Self.identity(ofName: name)
        else { return nil }
        return AuthorisedDevice(name: name, fingerprint: identity, prefix: options.prefix, limits: options.limits)
    }

    /// A connection has proved a name.
    ///
    /// - Returns: the device, while the name may come in.
    mutating func connected(_ id: ConnectionID, name: String) -> AuthorisedDevice? {
        guard let device = device(named: name) else { return nil }
        names[id] = name
        connectionCounts[name, default: 0] += 1
        return device
    }

    /// A connection is gone.
    ///
    /// - Returns: what the device was told apart by, if this was its last.
    mutating func connectionLost(_ id: ConnectionID) -> SHA256Digest? {
        guard let name = names.removeValue(forKey: id), let count = connectionCounts[name] else { return nil }
        connectionCounts[name] = count > 1 ? count - 1 : nil
        return count > 1 ? nil : Self.identity(ofName: name)
    }

    /// What the device is told apart by of which a handshake proved this.
    static func identity(of peer: TLSPeer) -> SHA256Digest {
        peer.name.flatMap { identity(ofName: $0) } ?? peer.fingerprint.digest
    }

    /// What stands for the device where others have the fingerprint of a key. It is none: what is digested for those
    /// begins otherwise.
    ///
    /// - Returns: `nil` where the library fails.
    static func identity(ofName name: String) -> SHA256Digest? {
        // Then nobody comes in; there is no better word for it.
        try? SHA256Digest.of(Array("sluice device name \(name)".utf8))
    }
}
