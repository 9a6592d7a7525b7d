package import TransferCommon
import WireProtocol

/// The slots that carry a session, in the order in which they were attached.
///
///     from      event                                              to
///     detached  a slot is attached                                 attached
///     attached  the last slot or its connection is detached        detached
///
/// A session without a slot is remembered for a while, counted from `detachedAt`.
package struct AttachedSlots: Hashable, Sendable {
    private var slots: [AttachedSlot] = []
    /// When the last slot was detached, or the session ended later; `nil` while a slot is attached, and before the
    /// first one is.
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

    /// Whether no slot resumes the session or is open.
    package var areAllOpening: Bool { slots.allSatisfy { $0.question == .open } }
    /// The most entries that an unanswered RESUME QUERY has listed.
    package var listedMax: Int { slots.map(\.listed.count).max() ?? 0 }

    /// Whether another slot is open.
    package func hasOpenSlot(besides attachment: Attachment) -> Bool {
        slots.contains { $0.attachment != attachment && $0.phase == .open }
    }

    /// The first slot that an ABORT in another one ends.
    package func nextEnded(byAbortAt attachment: Attachment) -> AttachedSlot? {
        slots.first { $0.phase != .aborting && $0.attachment != attachment }
    }

    // MARK: Events

    /// A slot turns to the session, in place of an earlier use of the same slot.
    package mutating func attach(_ slot: AttachedSlot) {
        slots.removeAll { $0.attachment == slot.attachment }
        slots.append(slot)
        detachedAt = nil
    }

    /// The session takes over the slots of one that gives way to it.
    package mutating func takeOver(_ other: AttachedSlots) {
        detachedAt = nil
        for var slot in other.slots {
            slot.turnedToAdopted()
            slots.append(slot)
        }
    }

    /// A slot is closed or left.
    package mutating func detach(_ attachment: Attachment, now: Instant) {
        slots.removeAll { $0.attachment == attachment }
        if slots.isEmpty { detachedAt = now }
    }

    /// A connection is lost.
    package mutating func connectionLost(_ connection: ConnectionID, now: Instant) {
        slots.removeAll { $0.attachment.connection == connection }
        if slots.isEmpty, detachedAt == nil { detachedAt = now }
    }

    /// The session has ended, and every slot is answered.
    package mutating func ended(now: Instant) {
        detachedAt = now
    }

    /// COMPLETE is void, or parts are wanted.
    ///
    /// - Returns: the slots that were completing, and are open now.
    package mutating func reopen() -> [Attachment] {
        slots.indices.compactMap { slots[$0].reopens() ? slots[$0].attachment : nil }
    }
}
