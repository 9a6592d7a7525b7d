import TransferCommon

/// Counts the PROVEs that are not answered yet, in all and for each device. The PROVEs themselves are kept in the
/// slots.
///
/// A PROVE takes memory and may cost the store a request, so the number is bounded (specification §9.6).
struct ProveTable: Hashable {
    private var counts = Tally<SHA256Digest>()

    /// Whether the device may begin another PROVE.
    func hasRoom(for device: SHA256Digest, _ limits: GatewayLimits) -> Bool {
        counts[device] < limits.provesPerDeviceMax && counts.total < limits.provesMax
    }

    /// A PROVE of the device has begun.
    mutating func began(by device: SHA256Digest) {
        counts.add(device)
    }

    /// A PROVE of the device has ended, with or without an answer.
    mutating func ended(by device: SHA256Digest) {
        counts.remove(device)
    }
}
