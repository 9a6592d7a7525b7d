// The slots of all connections, and the changes that sessions request for their slots.

extension Gateway {
    /// The session in a slot; `nil` if the slot is closed, carries a PROVE, or its connection is gone.
    subscript(attachment: Attachment) -> SessionSlot? {
        get { connections[attachment.connection]?.slots[session: attachment.slot] }
        set { connections[attachment.connection]?.slots[session: attachment.slot] = newValue }
    }

    /// The PROVE in a slot; `nil` if the slot is closed or carries a session, or its connection is gone.
    subscript(prove attachment: Attachment) -> GatewayProve? {
        get { connections[attachment.connection]?.slots[prove: attachment.slot] }
        set { connections[attachment.connection]?.slots[prove: attachment.slot] = newValue }
    }

    /// Applies the changes of slots that sessions have queued during the event, then begins readings and makes room.
    mutating func settleSlots() {
        for change in context.slotChanges {
            switch change {
            case .open(let attachment):
                self[attachment]?.stage = .open
                releaseList(attachment)  // The session no longer needs the list of RESUME QUERY.
            case .completing(let attachment):
                self[attachment]?.stage = .completing
            case .closed(let attachment, let isFruitful):
                if isFruitful { giveBackBeginning(at: attachment) }
                closeSlot(attachment)
            }
        }
        context.slotChanges = []
        beginReadBacks()
        if context.reservations.state == .short { makeRoomForParts() }
        context.reservations.madeRoom()
    }

    mutating func closeSlot(_ attachment: Attachment) {
        releaseList(attachment)
        context.slotsWithReceipt.remove(attachment)
        self[attachment] = nil
    }
}
