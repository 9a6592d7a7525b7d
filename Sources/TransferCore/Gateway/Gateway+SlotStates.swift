// What became of slots during an event.

extension Gateway {
    /// Applies what sessions said of slots during the event.
    mutating func settleSlots() {
        for change in context.slotChanges {
            switch change {
            case .open(let attachment):
                connections[attachment.connection]?.slots[attachment.slot]?.stage = .open
                releaseList(attachment)  // The list of RESUME QUERY has been compared.
            case .completing(let attachment):
                connections[attachment.connection]?.slots[attachment.slot]?.stage = .completing
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
        connections[attachment.connection]?.slots[attachment.slot] = nil
    }
}
