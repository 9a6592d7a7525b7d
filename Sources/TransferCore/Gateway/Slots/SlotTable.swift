import TransferCommon
import WireProtocol

/// What the slots of the open connections carry. A slot that is not in the table is closed. `SlotState` decides what
/// each frame does in a slot.
///
/// The table also owns the lists of parts that arrive in the slots. It reserves the budget of a list, and frees it when
/// the slot opens or closes.
struct SlotTable: Hashable {
    /// A slot has one use at a time.
    private enum Use: Hashable {
        case session(SessionSlot)
        /// `ProveTable` has the PROVE.
        case prove
    }

    private struct Connection: Hashable {
        /// Only the fingerprint, because each look at a slot copies this value.
        let device: SHA256Digest
        var uses: [Slot: Use] = [:]
    }

    private var connections: [ConnectionID: Connection] = [:]

    // MARK: Read-outs

    /// Slots in use, over all connections.
    var count: Int { connections.values.reduce(0) { $0 + $1.uses.count } }

    /// The state of a slot by the names of specification §6.1.
    func state(of attachment: Attachment) -> SlotState {
        switch connections[attachment.connection]?.uses[attachment.slot] {
        case .session(let use): use.stage.state
        case .prove: .proving
        case nil: .closed
        }
    }

    /// The slots of a connection that are in use, in order.
    func inUse(on id: ConnectionID) -> [Attachment] {
        guard let uses = connections[id]?.uses else { return [] }
        return uses.keys.sorted { $0.value < $1.value }.map { Attachment(connection: id, slot: $0) }
    }

    /// The device at the other end of an open connection.
    func device(on id: ConnectionID) -> SHA256Digest? { connections[id]?.device }

    /// The session in a slot; `nil` if the slot is closed, carries a PROVE, or its connection is gone.
    subscript(attachment: Attachment) -> SessionSlot? {
        get {
            guard case .session(let use) = connections[attachment.connection]?.uses[attachment.slot] else { return nil }
            return use
        }
        set {
            if let newValue {
                connections[attachment.connection]?.uses[attachment.slot] = .session(newValue)
            } else if self[attachment] != nil {
                connections[attachment.connection]?.uses[attachment.slot] = nil
            }
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

    /// Counts the beginning of a use of a slot. Refuses the slot if the device has exceeded its rate of beginnings.
    ///
    /// - Returns: whether the use may begin.
    mutating func mayBegin(
        at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> Bool {
        let wait = context.devices.countBeginning(of: device.fingerprint, context.limits, now: context.now)
        guard let wait else { return true }
        let message = "the device has begun too much that came to nothing"
        refuse(SessionRefused(.busy, retryAfter: wait, message: message), at: attachment, &context)
        return false
    }

    /// The slot carries a session from now on. The session has not answered the agent yet.
    mutating func attach(_ attachment: Attachment, to session: SessionID, stage: SessionSlot.Stage) {
        if self[attachment]?.session == session {
            self[attachment]?.stage = stage
        } else {
            self[attachment] = SessionSlot(session: session, stage: stage)
        }
    }

    /// The slot carries a PROVE from now on.
    mutating func beginProve(at attachment: Attachment) {
        connections[attachment.connection]?.uses[attachment.slot] = .prove
    }

    /// The PROVE in the slot has ended.
    mutating func endProve(at attachment: Attachment) {
        connections[attachment.connection]?.uses[attachment.slot] = nil
    }

    /// Ends the session's use of a slot.
    mutating func close(_ attachment: Attachment, _ context: inout GatewayContext) {
        releaseList(at: attachment, &context)
        context.slotsWithReceipt.remove(attachment)
        self[attachment] = nil
    }

    /// Closes the slot with a refusal.
    mutating func refuse(_ refusal: SessionRefused, at attachment: Attachment, _ context: inout GatewayContext) {
        close(attachment, &context)
        context.send(.sessionRefused(refusal), to: attachment)
        context.actions.append(.note(.refused(attachment.connection, refusal.code)))
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

    /// Frees the budget of the list in a slot.
    mutating func releaseList(at attachment: Attachment, _ context: inout GatewayContext) {
        guard let device = device(on: attachment.connection), let bytes = self[attachment]?.list.release() else {
            return
        }
        context.reservations.release(bytes, device: device)
    }

    /// The lists that hold memory, at the end of a window of progress. A list moves if a page of it, or the COMPLETE
    /// after it, arrives in every window.
    mutating func measureLists() -> [ProgressCheck.HeldList] {
        connections.keys.sorted().flatMap { inUse(on: $0) }.compactMap { attachment in
            guard var use = self[attachment], use.awaitsList else { return nil }
            let hasMoved = use.list.hasMoved()
            self[attachment] = use
            return ProgressCheck.HeldList(attachment: attachment, hasMoved: hasMoved)
        }
    }
}
