import TransferCommon
import WireProtocol

// Room for the tables of stored parts (specification §7.2).
//
// The memory of a whole table is reserved when its session begins. If tables grew while their sessions run, sessions
// that each have a part of their memory could all wait for the rest, and none would end.

extension SessionTable {
    /// Reserves the table of stored parts for a new session, for which others give way; `nil` if there is no room.
    mutating func reserveTable(
        for plan: PartPlan, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> SessionMemory? {
        guard !plan.isOnePart else { return SessionMemory() }
        let limits = context.limits(of: device.fingerprint)
        let parts = plan.partCount ?? limits.grantedParts.partsMax
        guard parts > 0 else { return SessionMemory() }
        let table = MemoryHolding(device: device.fingerprint, bytes: UInt64(parts) * StoredParts.recordBytes)
        let deviceMax = limits.budgetBytesPerDevice
        func reserve(_ reservations: inout Reservations) -> Bool {
            reservations.reserveTable(table.bytes, device: table.device, deviceMax: deviceMax)
        }
        if reserve(&context.reservations) { return SessionMemory(table: table) }
        var isWithinOwnLimit: Bool {
            context.reservations.isTableWithinOwnLimit(table.bytes, device: table.device, deviceMax: deviceMax)
        }
        // The device's own limit keeps the table out. Tables of other devices would not help.
        for id in isWithinOwnLimit ? [] : TableOrder.unattached(sessionsWithTable, of: [table.device])
        where !isWithinOwnLimit { forget(id, &context) }
        guard isWithinOwnLimit else { return nil }
        if reserve(&context.reservations) { return SessionMemory(table: table) }
        // A session without a slot loses nothing: when its agent resumes it, the store lists its parts again. The
        // device whose tables hold most gives way first.
        for id in TableOrder.unattached(sessionsWithTable, of: context.reservations.tableHolders) {
            forget(id, &context)
            if reserve(&context.reservations) { return SessionMemory(table: table) }
        }
        for id in TableOrder.givingWay(sessionsWithTable, to: table, context.reservations) {
            interrupt(id, &context)
            if reserve(&context.reservations) { return SessionMemory(table: table) }
        }
        return nil
    }

    /// Reserves the table of a session that was refused, and that begins again.
    ///
    /// - Returns: whether there was room.
    mutating func renewTable(of id: SessionID, _ context: inout GatewayContext) -> Bool {
        guard let session = self[id], session.phase == .new, session.intake.memory.table == nil else { return true }
        guard let memory = reserveTable(for: session.plan, of: session.device, &context) else { return false }
        self[id]?.intake.beginAgain(memory)
        return true
    }

    /// Ends a session for now. Its agent resumes it later, and the store then lists its parts.
    private mutating func interrupt(_ id: SessionID, _ context: inout GatewayContext) {
        let refusal = SessionRefused.busy("other devices need the memory of the session", context.limits)
        self[id]?.apply(.refuse(refusal), &context)
        tidy(id, &context)
    }
}

/// Which sessions give up their tables of stored parts, and in which order, if a new session needs the memory.
enum TableOrder {
    /// The sessions of these devices that have a table and no slot, and that may be forgotten, in the order of the
    /// devices. Of one device, the session that lost its slot first comes first.
    static func unattached(_ sessions: [GatewaySession], of devices: [SHA256Digest]) -> [SessionID] {
        let ranks = Dictionary(zip(devices, 0...)) { first, _ in first }
        let ranked = sessions.compactMap { session -> (rank: Int, session: GatewaySession)? in
            guard session.attached.isEmpty, session.mayBeForgotten else { return nil }
            return session.intake.memory.table.flatMap { ranks[$0.device] }.map { ($0, session) }
        }
        return ranked.sorted {
            $0.rank != $1.rank ? $0.rank < $1.rank : SessionTable.isOlder($0.session, $1.session)
        }.map(\.session.id)
    }

    /// The open sessions that end for now so that another device gets a table: sessions of the device whose tables hold
    /// most, if that is still more than the other device would hold. So each device gets an equal share of the memory,
    /// and no session of two devices with equal shares gives way to the other. Sessions that send nothing come first.
    static func givingWay(
        _ sessions: [GatewaySession], to table: MemoryHolding, _ reservations: Reservations
    ) -> [SessionID] {
        guard let largest = reservations.tableHolders.first, largest != table.device,
            reservations.tableBytes(device: largest) > reservations.tableBytes(device: table.device) + table.bytes
        else { return [] }
        func bytes(_ session: GatewaySession) -> UInt64 { session.intake.memory.table?.bytes ?? 0 }
        let open = sessions.filter { $0.intake.memory.table?.device == largest && $0.phase.isOpen }
        // If all of them together hold less than the new table, they would end in vain.
        guard open.reduce(0, { $0 + bytes($1) }) >= table.bytes else { return [] }
        return open.sorted { left, right in
            if left.parts.isEmpty != right.parts.isEmpty { return left.parts.isEmpty }
            return bytes(left) != bytes(right) ? bytes(left) > bytes(right) : left.id < right.id
        }.map(\.id)
    }
}
