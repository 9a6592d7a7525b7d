package import TransferCommon

// A second count of the reserved memory, which tests compare with that of `Reservations`.

extension Gateway {
    /// The reserved bytes of each device, added up from all that holds them: initial credit, part lists, lists of
    /// stored parts, parts and read-backs. The sums equal what `Reservations` has reserved.
    package var bytesOwned: [SHA256Digest: UInt64] {
        var owned: [SHA256Digest: UInt64] = [:]
        for id in connections.ids {
            guard let connection = connections[id], let device = connection.device?.fingerprint else { continue }
            owned[device, default: 0] += UInt64(connection.creditBytes)
        }
        let holdings =
            transfers.slots.bytesReserved + context.answers.bytesReserved + transfers.sessions.bytesReserved
            + transfers.checks.bytesReserved + context.reservations.heldByCalls.map { ($0.device, $0.bytes) }
        for holding in holdings { owned[holding.device, default: 0] += holding.bytes }
        return owned.filter { $0.value > 0 }
    }
}
