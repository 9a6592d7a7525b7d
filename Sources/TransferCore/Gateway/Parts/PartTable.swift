package import TransferCommon
import WireProtocol

/// The offered parts of a session, until the store has answered or the gateway gives them up. An event names a part by
/// the part's number, by its call to the store, or by the look at the key for which its last bytes wait. The table
/// finds the part by each of them.
package struct PartTable: Hashable, Sendable {
    private var parts: [PartNumber: IncomingPart] = [:]

    /// A session without offers.
    package init() {}

    /// The part with this number, which can be changed in place; assigning `nil` removes the part.
    package subscript(number: PartNumber) -> IncomingPart? {
        get { parts[number] }
        set { parts[number] = newValue }
        _modify { yield &parts[number] }
    }

    package var count: Int { parts.count }
    package var isEmpty: Bool { parts.isEmpty }
    /// Bytes of the budget that the parts hold.
    package var bytesReserved: UInt64 { parts.values.reduce(0) { $0 + $1.bytesReserved } }
    /// The number of parts that calls to the store are taking.
    package var decidedCount: Int { parts.values.count { !$0.isUndecided } }
    /// Whether a call to the store is taking a part whose agent is connected.
    package var isFed: Bool { parts.values.contains { !$0.isUndecided && $0.owner != nil } }

    /// The numbers of the parts that fulfil a condition, in order.
    package func numbers(where condition: (IncomingPart) -> Bool = { _ in true }) -> [PartNumber] {
        parts.filter { condition($0.value) }.keys.sorted()
    }

    /// The part whose bytes this call to the store is taking; `nil` if there is none.
    package func number(ofCall request: StoreRequestID) -> PartNumber? {
        parts.first { $0.value.sending?.call == request }?.key
    }

    /// The part whose last bytes wait for this look at the key; `nil` if there is none.
    package func number(ofLook request: StoreRequestID) -> PartNumber? {
        parts.first { $0.value.look == request }?.key
    }

    /// Whether COMPLETE of a one-part file has arrived in this slot, is valid, and waits for the decision on the part.
    package func isWanted(by attachment: Attachment) -> Bool {
        parts.values.contains { $0.owner == attachment && $0.tail == .wanted }
    }

    /// When the first orphaned part is given up.
    package func nextDeadline(grace: Duration) -> Instant? {
        parts.values.reduce(nil) { earlier($0, $1.nextDeadline(grace: grace)) }
    }

    /// The orphaned parts to give up now, in order.
    package func due(grace: Duration, now: Instant) -> [PartNumber] {
        numbers { part in part.nextDeadline(grace: grace).map { $0 <= now } ?? false }
    }

    /// Measures what each part took in during a window of progress; returns the parts that wait only for their agents.
    /// `heldBytesMax`: the store gets a part up to this size as a whole; 0 if it gets every part as a stream.
    package mutating func measure(
        session: SessionID, device: SHA256Digest, heldBytesMax: UInt64
    ) -> [ProgressCheck.HeldPart] {
        numbers().compactMap { number in
            let gain = parts[number]?.measure()
            guard let part = parts[number], part.creditToUse > 0, let owner = part.owner else { return nil }
            return ProgressCheck.HeldPart(
                session: session, number: number, owner: owner, flow: part.flow, device: device,
                bytesReserved: part.bytesReserved, isWhole: part.isWhole,
                isHeldUntilWhole: heldBytesMax > 0 && part.offer.size <= heldBytesMax, gain: gain)
        }
    }
}
