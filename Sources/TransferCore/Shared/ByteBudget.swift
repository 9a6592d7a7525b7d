package import TransferCommon

/// Memory for parts and part lists, in all and for each device (specification §7.2).
///
/// Every byte that a peer may send and the gateway must hold is reserved here first. A reservation that does not fit is
/// refused at once, and the peer tries again later.
package struct ByteBudget: Hashable, Sendable {
    package let bytesMax: UInt64
    package private(set) var bytesReserved: UInt64 = 0
    private var byDevice: [SHA256Digest: UInt64] = [:]

    package init(bytesMax: UInt64) {
        self.bytesMax = bytesMax
    }

    /// Reserves all of `bytes` or nothing.
    ///
    /// - Parameter deviceMax: what the device may hold, `bytes` included.
    package mutating func reserve(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        let held = byDevice[device] ?? 0
        guard bytes <= bytesMax - bytesReserved, held <= deviceMax, bytes <= deviceMax - held else { return false }
        bytesReserved += bytes
        byDevice[device] = held + bytes
        return true
    }

    /// Returns reserved bytes, at most those that the device holds: no account goes below zero.
    package mutating func release(_ bytes: UInt64, device: SHA256Digest) {
        let held = byDevice[device] ?? 0
        let released = min(bytes, held)
        bytesReserved -= released
        byDevice[device] = held == released ? nil : held - released
    }

    /// Whether all devices together leave less than `bytes`.
    func isShort(of bytes: UInt64) -> Bool { bytes > bytesMax - bytesReserved }

    /// What one device holds of the budget.
    package func bytesReserved(device: SHA256Digest) -> UInt64 { byDevice[device] ?? 0 }
}
