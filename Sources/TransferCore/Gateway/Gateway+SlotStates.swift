// What became of slots during an event.

extension Gateway {
    /// The session in a slot; `nil` if the slot is closed or proves, or its connection is gone.
    subscript(attachment: Attachment) -> SessionSlot? {
        get { connections[attachment.connection]?.slots[session: attachment.slot] }
        set { connections[attachment.connection]?.slots[session: attachment.slot] = newValue }
    }

    /// The PROVE in a slot; `nil` if the slot is closed or carries a session, or its connection is gone.
    subscript(prove attachment: Attachment) -> GatewayProve? {
        get { connections[attachment.connection]?.slots[prove: attachment.slot] }
        set { connections[attachment.connection]?.slots[prove: attachment.slot] = newValue }
    }

    /// Applies what sessions said of slots during the event.
    mutating func settleSlots() {
        for change in context.slotChanges {
            switch change {
            case .open(let attachment):
                self[attachment]?.stage = .open
                releaseList(attachment)  // The list of RESUME QUERY has been compared.
            case .completing(let attachment):
                self[attachment]?.stage = .completing
            case .closed(let attachment, let isFruitful):
                if isFruitful { giveBackBeginning(at: attachment) }
                closeSlot(attachment)
            }
        }
        context.slotChanges = []
        beginReadBacks()
        if context.isShort { makeRoomForParts() }
        context.isShort = false
    }

    mutating func closeSlot(_ attachment: Attachment) {
        releaseList(attachment)
        context.slotsWithReceipt.remove(attachment)
        self[attachment] = nil
    }
}
