package import TransferCommon
package import WireProtocol

/// The slots that carry a session, in the order in which they were attached.
///
///     from      event                                              to
///     detached  a slot is attached                                 attached
///     attached  the last slot is detached; its connection is lost  detached
///
/// The gateway remembers a session without a slot for a while, counted from `detachedAt`.
package struct AttachedSlots: Hashable, Sendable {
    private var slots: [AttachedSlot] = []
    /// When the last slot was detached or, if later, the session ended; `nil` with a slot, or before the first.
    package private(set) var detachedAt: Instant?

    /// A session that no slot carries yet.
    package init() {}

    /// The slot at an attachment; `nil` if the session is not attached there.
    package subscript(attachment: Attachment) -> AttachedSlot? {
        get { slots.first { $0.attachment == attachment } }
        set {
            guard let newValue, let index = slots.firstIndex(where: { $0.attachment == attachment }) else { return }
            slots[index] = newValue
        }
    }

    package var isEmpty: Bool { slots.isEmpty }
    package var first: AttachedSlot? { slots.first }
    package var attachments: [Attachment] { slots.map(\.attachment) }

    /// Whether every slot still waits for SESSION OPENED.
    package var areAllOpening: Bool { slots.allSatisfy { $0.question == .open } }
    /// The number of entries in the longest list of an unanswered RESUME QUERY.
    package var listedMax: Int { slots.map(\.listed.count).max() ?? 0 }

    /// Whether the session has an open slot besides the given one.
    package func hasOpenSlot(besides attachment: Attachment) -> Bool {
        slots.contains { $0.attachment != attachment && $0.phase == .open }
    }

    /// The first slot that has to be closed because of an ABORT in another slot.
    package func nextEnded(byAbortAt attachment: Attachment) -> AttachedSlot? {
        slots.first { $0.phase != .aborting && $0.attachment != attachment }
    }

    // MARK: Events

    /// Adds a slot that begins to carry the session. It replaces an earlier use of the same slot.
    package mutating func attach(_ slot: AttachedSlot) {
        slots.removeAll { $0.attachment == slot.attachment }
        slots.append(slot)
        detachedAt = nil
    }

    /// Takes over the slots of `other`, the session that an agent asked to open, because this session is adopted.
    package mutating func takeOver(_ other: AttachedSlots) {
        detachedAt = nil
        for var slot in other.slots {
            slot.turnedToAdopted()
            slots.append(slot)
        }
    }

    /// Holds a decision if the slot is not answered; returns `false` if the caller sends it at once.
    package mutating func hold(_ decision: PartDecision, at attachment: Attachment) -> Bool {
        // Most slots are answered. They are only looked at: access for writing would cost more.
        guard let index = slots.firstIndex(where: { $0.attachment == attachment }), slots[index].isUnanswered else {
            return false
        }
        return slots[index].hold(decision)
    }

    /// Removes a slot that is closed or left.
    package mutating func detach(_ attachment: Attachment, now: Instant) {
        slots.removeAll { $0.attachment == attachment }
        if slots.isEmpty { detachedAt = now }
    }

    /// Removes the slots of a lost connection.
    package mutating func connectionLost(_ connection: ConnectionID, now: Instant) {
        slots.removeAll { $0.attachment.connection == connection }
        if slots.isEmpty, detachedAt == nil { detachedAt = now }
    }

    /// Notes the time at which the session has ended and every slot is answered.
    package mutating func ended(now: Instant) {
        detachedAt = now
    }

    /// Opens and returns the slots that were completing, because COMPLETE is void or PARTS WANTED is sent.
    package mutating func reopen() -> [Attachment] {
        slots.indices.compactMap { slots[$0].reopens() ? slots[$0].attachment : nil }
    }
}
