import TransferCommon
import WireProtocol

/// What the slots of the open connections carry. A slot that is not in the table is closed. `SlotState` decides what
/// each frame does in a slot.
///
/// The table also owns the lists of parts that arrive in the slots. It reserves the budget of a list, and frees it when
/// the slot opens or closes.
struct SlotTable: Hashable {
    /// The uses of the slots of one connection. A slot has one use at a time.
    private struct Connection: Hashable {
        /// Only the fingerprint, because each look at a slot copies this value.
        let device: SHA256Digest
        var sessions: [Slot: SessionSlot] = [:]
        /// Slots that carry a PROVE. `ProveTable` has the PROVEs.
        var proves: Set<Slot> = []
    }

    private var connections: [ConnectionID: Connection] = [:]

    // MARK: Read-outs

    /// The number of slots in use, over all connections.
    var count: Int { connections.values.reduce(0) { $0 + $1.sessions.count + $1.proves.count } }

    /// The state of a slot by the names of specification §6.1.
    func state(of attachment: Attachment) -> SlotState {
        guard let connection = connections[attachment.connection] else { return .closed }
        if let use = connection.sessions[attachment.slot] { return use.stage.state }
        return connection.proves.contains(attachment.slot) ? .proving : .closed
    }

    /// The slots of a connection that are in use, in order.
    func inUse(on id: ConnectionID) -> [Attachment] {
        guard let connection = connections[id] else { return [] }
        return connection.proves.union(connection.sessions.keys).sorted { $0.value < $1.value }
            .map { Attachment(connection: id, slot: $0) }
    }

    /// The device at the other end of an open connection.
    func device(on id: ConnectionID) -> SHA256Digest? { connections[id]?.device }

    /// The session in a slot; `nil` if the slot is closed, carries a PROVE, or its connection is gone.
    subscript(attachment: Attachment) -> SessionSlot? {
        get { connections[attachment.connection]?.sessions[attachment.slot] }
        set { connections[attachment.connection]?.sessions[attachment.slot] = newValue }
    }

    /// For each connection, its device and the bytes of the budget that its lists hold.
    var bytesReserved: [(device: SHA256Digest, bytes: UInt64)] {
        connections.values.map { connection in
            (connection.device, connection.sessions.values.reduce(0) { $0 + $1.list.bytesReserved })
        }
    }

    // MARK: Connections

    mutating func opened(_ id: ConnectionID, by device: SHA256Digest) {
        connections[id] = Connection(device: device)
    }

    mutating func connectionLost(_ id: ConnectionID) {
        connections[id] = nil
    }

    // MARK: Uses

    /// Counts the beginning of a use of a slot; returns `false` after refusing it if the device begins too often.
    mutating func mayBegin(
        at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> Bool {
        let wait = context.devices.countBeginning(of: device.fingerprint, context.limits, now: context.now)
        guard let wait else { return true }
        let message = "the device has begun too much that came to nothing"
        refuse(SessionRefused(.busy, retryAfter: wait, message: message), at: attachment, &context)
        return false
    }

    /// Makes the slot carry a session, which has not answered the agent yet.
    mutating func attach(_ attachment: Attachment, to session: SessionID, stage: SessionSlot.Stage) {
        if self[attachment]?.session == session {
            self[attachment]?.stage = stage
        } else {
            self[attachment] = SessionSlot(session: session, stage: stage)
        }
    }

    /// Makes the slot carry a PROVE.
    mutating func beginProve(at attachment: Attachment) {
        connections[attachment.connection]?.proves.insert(attachment.slot)
    }

    /// Closes the slot of a PROVE that has ended.
    mutating func endProve(at attachment: Attachment) {
        connections[attachment.connection]?.proves.remove(attachment.slot)
    }

    /// Ends the session's use of a slot.
    mutating func close(_ attachment: Attachment, _ context: inout GatewayContext) {
        releaseList(at: attachment, &context)
        context.endAnswer(at: attachment)
        context.slotsWithReceipt.remove(attachment)
        self[attachment] = nil
    }

    /// Closes the slot with a refusal.
    mutating func refuse(_ refusal: SessionRefused, at attachment: Attachment, _ context: inout GatewayContext) {
        close(attachment, &context)
        context.send(.sessionRefused(refusal), to: attachment)
        let name = device(on: attachment.connection).flatMap { context.devices[$0]?.name }
        context.actions.append(
            .note(.refused(attachment.connection, device: name, refusal.code, message: refusal.message)))
    }

    /// Applies a change that a session has requested.
    mutating func apply(_ change: SlotChange, _ context: inout GatewayContext) {
        switch change {
        case .open(let attachment):
            self[attachment]?.stage = .open
            releaseList(at: attachment, &context)  // The session no longer needs the list of RESUME QUERY.
        case .completing(let attachment):
            self[attachment]?.stage = .completing
        case .closed(let attachment, let isFruitful):
            if isFruitful, let device = device(on: attachment.connection) {
                context.devices.giveBackBeginning(of: device)
            }
            close(attachment, &context)
        }
    }

    // MARK: Lists

    /// Gives a slot a page of PART LIST, in place: the subscript would copy earlier pages. `nil` without a session.
    mutating func received(
        _ page: PartList, at attachment: Attachment, of device: SHA256Digest, _ context: inout GatewayContext
    ) -> SessionSlot.OnList? {
        connections[attachment.connection]?.sessions[attachment.slot]?.received(page, of: device, &context)
    }

    /// Takes the list before COMPLETE, which has arrived; `nil` if the last page of the list is missing.
    mutating func takeList(at attachment: Attachment) -> CompleteList? {
        // A one-part file has no list, and a change in place allocates.
        guard self[attachment]?.list.phase != .empty, let device = device(on: attachment.connection),
            let list = self[attachment]?.list.takeWhole()
        else { return nil }
        return CompleteList(
            entries: list.entries, memory: MemoryHolding(device: device, bytes: list.bytesReserved))
    }

    /// Frees the budget of the list in a slot.
    mutating func releaseList(at attachment: Attachment, _ context: inout GatewayContext) {
        guard let device = device(on: attachment.connection), let bytes = self[attachment]?.list.release() else {
            return
        }
        context.reservations.release(bytes, device: device)
    }

    /// The lists that hold memory, at the end of a window of progress. A list has moved if a page of it, or the
    /// COMPLETE after it, has arrived in that window.
    mutating func measureLists() -> [ProgressCheck.HeldList] {
        connections.keys.sorted().flatMap { inUse(on: $0) }.compactMap { attachment in
            guard self[attachment]?.awaitsList == true, let hasMoved = self[attachment]?.list.hasMoved() else {
                return nil
            }
            return ProgressCheck.HeldList(attachment: attachment, hasMoved: hasMoved)
        }
    }
}
