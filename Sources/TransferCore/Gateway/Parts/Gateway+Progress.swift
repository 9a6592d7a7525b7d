import TransferCommon
import WireProtocol

// Evicting parts and lists that hold memory and make no progress (specification §7.4). `ProgressCheck` chooses them.

extension Gateway {
    /// Called once in every window: measures the parts and lists that hold memory, and evicts those without progress.
    mutating func judgeProgress() {
        var parts: [ProgressCheck.HeldPart] = []
        for id in sessions.values.filter({ !$0.parts.isEmpty }).map(\.id).sorted() {
            guard let device = sessions[id]?.device.fingerprint else { continue }
            parts += sessions[id]?.intake.parts.table.measure(session: id, device: device) ?? []
        }
        let lists = connections.ids.flatMap { measureLists(of: $0) }
        var heardBytes: [ConnectionID: UInt64] = [:]
        for id in connections.ids { heardBytes[id] = connections[id]?.takeHeardBytes() }
        let stagnant = progress.windowPassed(
            parts: parts, lists: lists, heardBytes: heardBytes, limits.progress, now: context.now)
        for part in stagnant.parts { evictPart(part.number, of: part.session) }
        for list in stagnant.lists { giveUpList(at: list.attachment) }
        settleSlots()
    }

    /// The budget is full: evicts one slow part, if slow parts hold more than their share.
    mutating func makeRoomForParts() {
        while let slow = progress.nextSlowPart() {
            guard let part = sessions[slow.session]?.parts[slow.number], part.flow == slow.flow, !part.isWhole else {
                continue
            }
            return evictPart(slow.number, of: slow.session)
        }
    }

    private mutating func evictPart(_ number: PartNumber, of session: SessionID) {
        sessions[session]?.evictPart(number, &context)
        tidy(session)
    }

    /// A list moves if a page of it, or the COMPLETE after it, arrives in every window.
    private mutating func measureLists(of id: ConnectionID) -> [ProgressCheck.HeldList] {
        guard let slots = connections[id]?.slots else { return [] }
        return slots.inUse.filter { slots[session: $0]?.awaitsList == true }.map { slot in
            let hasMoved = connections[id]?.slots[session: slot]?.list.hasMoved() ?? true
            return ProgressCheck.HeldList(attachment: Attachment(connection: id, slot: slot), hasMoved: hasMoved)
        }
    }
}
