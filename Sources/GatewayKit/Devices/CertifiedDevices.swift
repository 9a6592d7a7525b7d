import Cryptography
import SecureChannel
import TransferCommon
import TransferCore
import WireProtocol

/// The devices that are identified by a certificate of the site's authority: which certificate names are allowed, and
/// which open connections belong to each name.
///
/// A certified device is identified by its name, not by its key. A device with a renewed certificate therefore resumes
/// its sessions, and the gateway treats its connections with the old and with the new certificate as connections of one
/// device.
struct CertifiedDevices {
    private var list = DeviceList()
    private var names: [ConnectionID: String] = [:]
    private var connectionCounts: [String: Int] = [:]

    /// Replaces the device list.
    ///
    /// - Returns: all devices that remain allowed: the listed ones, and the certified ones that are connected now.
    mutating func listChanged(_ list: DeviceList) -> [AuthorisedDevice] {
        self.list = list
        let connected = connectionCounts.keys.sorted().compactMap { device(named: $0) }
        // If no certified device is connected, return the list itself: copying a long list would hold up the event
        // loop.
        return connected.isEmpty ? list.devices : list.devices + connected
    }

    /// The device whose certificate has this name. `nil` if the name is not a valid device name, is revoked, or has a
    /// line with a fingerprint: a device with a certificate must not take the name of a device with a pinned key.
    func device(named name: String) -> AuthorisedDevice? {
        guard DeviceName.isUsable(name), !list.hasPinned(name) else { return nil }
        guard let options = list.rule(of: name).map(\.options) ?? DeviceOptions(device: name, prefix: nil),
            KeyRule.isPrefix(options.prefix), let identity = Self.identity(ofName: name)
        else { return nil }
        return AuthorisedDevice(name: name, fingerprint: identity, prefix: options.prefix, limits: options.limits)
    }

    /// Registers a connection whose certificate proves a name.
    ///
    /// - Returns: the device, or `nil` if the name is not allowed.
    mutating func connected(_ id: ConnectionID, name: String) -> AuthorisedDevice? {
        guard let device = device(named: name) else { return nil }
        names[id] = name
        connectionCounts[name, default: 0] += 1
        return device
    }

    /// Removes a connection.
    ///
    /// - Returns: the device's identity if this was its last connection, otherwise `nil`.
    mutating func connectionLost(_ id: ConnectionID) -> SHA256Digest? {
        guard let name = names.removeValue(forKey: id), let count = connectionCounts[name] else { return nil }
        connectionCounts[name] = count > 1 ? count - 1 : nil
        return count > 1 ? nil : Self.identity(ofName: name)
    }

    /// The identity of the device with which a handshake was made. If its certificate has a name that the authority has
    /// signed, the identity is derived from the name; otherwise it is the fingerprint of the key.
    static func identity(of peer: TLSPeer) -> SHA256Digest {
        peer.name.flatMap { identity(ofName: $0) } ?? peer.fingerprint.digest
    }

    /// The identity of a certified device. It takes the place that the key's fingerprint has for a device with a pinned
    /// key. Both are SHA-256 digests. No encoded public key begins like the text that is hashed here, so an identity
    /// never equals a fingerprint.
    ///
    /// - Returns: `nil` if OpenSSL fails.
    static func identity(ofName name: String) -> SHA256Digest? {
        // If OpenSSL fails, no certified device can be identified, and the gateway refuses all of them.
        try? SHA256Digest.of(Array("sluice device name \(name)".utf8))
    }
}
