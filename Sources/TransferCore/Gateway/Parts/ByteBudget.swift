package import TransferCommon

/// Limits the memory for parts under way, in total and for each device (specification §7.2).
///
/// The gateway reserves every byte that a peer may send and that the gateway must hold. A reservation succeeds or fails
/// at once. If it fails, the gateway defers the part.
package struct ByteBudget: Hashable, Sendable {
    package let bytesMax: UInt64
    package private(set) var bytesReserved: UInt64 = 0
    private var byDevice: [SHA256Digest: UInt64] = [:]

    package init(bytesMax: UInt64) {
        self.bytesMax = bytesMax
    }

    /// Reserves all of `bytes`, or fails. The device may hold `deviceMax` bytes, these included.
    package mutating func reserve(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        let held = byDevice[device] ?? 0
        guard bytesReserved.isRoom(for: bytes, in: bytesMax), held.isRoom(for: bytes, in: deviceMax) else {
            return false
        }
        bytesReserved += bytes
        byDevice[device] = held + bytes
        return true
    }

    /// Releases reserved bytes, but no more than the device holds.
    package mutating func release(_ bytes: UInt64, device: SHA256Digest) {
        guard bytes > 0 else { return }
        let held = byDevice[device] ?? 0
        let released = min(bytes, held)
        bytesReserved -= released
        byDevice[device] = held == released ? nil : held - released
    }

    /// The devices that hold bytes, the one that holds most first; the fingerprint decides between equals.
    var holders: [SHA256Digest] {
        byDevice.sorted { left, right in
            left.value != right.value
                ? left.value > right.value : left.key.bytes.lexicographicallyPrecedes(right.key.bytes)
        }.map(\.key)
    }

    /// Bytes that one device holds.
    package func bytesReserved(device: SHA256Digest) -> UInt64 { byDevice[device] ?? 0 }
}

extension UInt64 {
    /// Whether a limit leaves room for `bytes` more, where this number is held already.
    func isRoom(for bytes: UInt64, in limit: UInt64) -> Bool { self <= limit && bytes <= limit - self }
}
