package import TransferCommon

/// A device that may use this site, because the device list or a certificate authority names it.
package struct AuthorisedDevice: Hashable, Sendable {
    /// The device's name. Sessions belong to the device with this name, so no two devices have the same name at a time.
    package var name: String
    /// Identifies the device; HELLO carries it. For a device on the list, it is the fingerprint of the device's key.
    /// For a device that an authority names, it is a digest of the device's name, so that the device stays the same
    /// when its key changes.
    package var fingerprint: SHA256Digest
    /// The beginning of all keys of the device: empty, or ending in `/`.
    package var prefix: String
    package var limits: DeviceLimits

    package init(name: String, fingerprint: SHA256Digest, prefix: String, limits: DeviceLimits = DeviceLimits()) {
        self.name = name
        self.fingerprint = fingerprint
        self.prefix = prefix
        self.limits = limits
    }
}

/// The limits of one device. If a limit is `nil`, the site's limit for one device applies. The limits of all devices
/// together (`GatewayLimits`) apply in any case.
package struct DeviceLimits: Hashable, Sendable {
    /// At least 1.
    package var connectionsMax: Int?
    /// At least 1.
    package var sessionsMax: Int?
    /// The most bytes of parts and part lists that the gateway holds for the device; at least `budgetBytesMin`.
    package var budgetBytes: UInt64?

    /// The smallest budget of a device. A quarter of this budget holds a list of 10,000 parts, so that every upload can
    /// be resumed, even one that began under a larger budget.
    package static let budgetBytesMin: UInt64 = 8 << 20

    package init(connectionsMax: Int? = nil, sessionsMax: Int? = nil, budgetBytes: UInt64? = nil) {
        self.connectionsMax = connectionsMax
        self.sessionsMax = sessionsMax
        self.budgetBytes = budgetBytes
    }
}
