package import TransferCommon
import WireProtocol

/// Memory that is reserved in the budget of `device`, which may be an earlier key of the session's device.
package struct MemoryHolding: Hashable, Sendable {
    package let device: SHA256Digest
    package var bytes: UInt64

    package init(device: SHA256Digest, bytes: UInt64) {
        self.device = device
        self.bytes = bytes
    }
}

/// The whole list that has arrived before COMPLETE. The session that takes it releases its memory.
struct CompleteList: Hashable {
    let entries: [PartListEntry]
    let memory: MemoryHolding
}

/// What a session holds in the budget besides its parts.
package struct SessionMemory: Hashable, Sendable {
    /// The table of stored parts; `nil` if the session needs none.
    package private(set) var table: MemoryHolding?
    /// The list that the session completes its upload with.
    package private(set) var list: MemoryHolding?

    /// - Parameter table: reserved already; `nil` for a one-part file, and for a session that is only aborted.
    package init(table: MemoryHolding? = nil) {
        self.table = table
    }

    /// The most parts that the table has room for.
    package var partsMax: Int { Int(clamping: (table?.bytes ?? 0) / StoredParts.recordBytes) }

    // MARK: The table of stored parts

    /// Hands the table over to another session, with its memory.
    package mutating func takeTable() -> SessionMemory {
        defer { table = nil }
        return SessionMemory(table: table)
    }

    /// Charges the table to another device, which the session belongs to now, if that device has room for it.
    mutating func moveTable(to device: SHA256Digest, _ context: inout GatewayContext) {
        guard let held = table, held.device != device else { return }
        let deviceMax = context.limits(of: device).budgetBytesPerDevice
        context.reservations.releaseTable(held)
        if context.reservations.reserveTable(held.bytes, device: device, deviceMax: deviceMax) {
            table = MemoryHolding(device: device, bytes: held.bytes)
        } else {
            _ = context.reservations.reserveTable(held.bytes, device: held.device, deviceMax: .max)
        }
    }

    /// Reserves memory for listed ETags of an unusual form; returns whether it is reserved.
    mutating func extendTable(for listing: [PartListEntry], _ context: inout GatewayContext) -> Bool {
        extendTable(by: StoredParts.longETagBytes(of: listing), &context)
    }

    /// Reserves memory for the ETag of a part that the store has taken; returns whether it is reserved.
    mutating func extendTable(
        for answer: StoreAnswer, digest: SHA256Digest?, _ context: inout GatewayContext
    ) -> Bool {
        extendTable(by: StoredParts.longETagBytes(of: answer, digest: digest), &context)
    }

    private mutating func extendTable(by bytes: UInt64, _ context: inout GatewayContext) -> Bool {
        guard bytes > 0 else { return true }
        guard let device = table?.device else { return false }
        let deviceMax = context.limits(of: device).budgetBytesPerDevice
        guard context.reservations.reserveTable(bytes, device: device, deviceMax: deviceMax) else { return false }
        table?.bytes += bytes
        return true
    }

    /// Frees what an event made needless: the table beyond `tableBytes`, and the list unless `keepsList`.
    mutating func settle(tableBytes: UInt64, keepsList: Bool, _ reservations: inout Reservations) {
        shrinkTable(to: tableBytes, &reservations)
        if !keepsList { releaseList(&reservations) }
    }

    private mutating func shrinkTable(to bytes: UInt64, _ reservations: inout Reservations) {
        guard let held = table, held.bytes > bytes else { return }
        reservations.releaseTable(MemoryHolding(device: held.device, bytes: held.bytes - bytes))
        table = bytes > 0 ? MemoryHolding(device: held.device, bytes: bytes) : nil
    }

    // MARK: The list of a completion

    /// The session completes its upload with a list, whose memory is reserved already.
    package mutating func takes(_ list: MemoryHolding) {
        self.list = list
    }

    private mutating func releaseList(_ reservations: inout Reservations) {
        guard let list else { return }
        reservations.release(list)
        self.list = nil
    }

    /// Leaves the list of an aborted session to the call that still carries it.
    package mutating func leaveList(to request: StoreRequestID, _ reservations: inout Reservations) {
        guard let list else { return }
        reservations.keep(list, until: request)
        self.list = nil
    }
}
