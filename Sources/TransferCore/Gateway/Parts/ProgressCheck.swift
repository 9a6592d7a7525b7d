package import TransferCommon
import WireProtocol

/// Finds the parts and lists that hold memory and make no progress (specification §7.4).
///
///     from      event                                            to
///     idle      the first connection is accepted                 watching
///     watching  a window has passed                              watching
///     watching  a connection is accepted while there is none     watching
///
/// - The gateway measures only parts and lists that wait for nothing but their agents. At the end of a window it evicts
///   the stagnant ones, which took in almost nothing.
/// - On a slow link parts take turns. So no part or list counts as stagnant if its connection brought
///   `progressBytesMin` for each part and list that the connection holds.
/// - A part that the gateway holds until it is whole occupies a place among the requests to the store. So such a part
///   is stagnant on any connection if it took in nothing during a window.
/// - A part that took in fewer bytes during a window than it holds is slow. Slow parts are evicted only while others
///   need room, and only beyond the share that slow parts may hold together.
package struct ProgressCheck: Hashable, Sendable {
    /// The phases of the check, as the table in the comment on `ProgressCheck` lists them.
    package enum Phase: Hashable, Sendable {
        case idle
        case watching(nextAt: Instant)
    }

    /// One part at the end of a window.
    package struct HeldPart: Hashable, Sendable {
        package var session: SessionID
        package var number: PartNumber
        package var owner: Attachment
        /// Identifies the offer: a part that is offered again before the eviction must not be evicted.
        package var flow: FlowID
        package var device: SHA256Digest
        /// Bytes of the budget that the part holds.
        package var bytesReserved: UInt64
        /// Whether all bytes have arrived.
        package var isWhole: Bool
        /// Whether the store gets the part as a whole, so that the gateway holds the bytes until all have arrived.
        package var isHeldUntilWhole: Bool
        /// What the part took in during the window; `nil` if it was not measured over the whole window.
        package var gain: Gain?

        package init(
            session: SessionID, number: PartNumber, owner: Attachment, flow: FlowID, device: SHA256Digest,
            bytesReserved: UInt64, isWhole: Bool, isHeldUntilWhole: Bool, gain: Gain?
        ) {
            self.session = session
            self.number = number
            self.owner = owner
            self.flow = flow
            self.device = device
            self.bytesReserved = bytesReserved
            self.isWhole = isWhole
            self.isHeldUntilWhole = isHeldUntilWhole
            self.gain = gain
        }
    }

    /// What a part took in during a window.
    package struct Gain: Hashable, Sendable {
        package var bytes: UInt64
        /// How many bytes the agent could have sent at the beginning of the window.
        package var creditBytes: UInt64

        package init(bytes: UInt64, creditBytes: UInt64) {
            self.bytes = bytes
            self.creditBytes = creditBytes
        }
    }

    /// One list at the end of a window.
    package struct HeldList: Hashable, Sendable {
        package var attachment: Attachment
        package var hasMoved: Bool

        package init(attachment: Attachment, hasMoved: Bool) {
            self.attachment = attachment
            self.hasMoved = hasMoved
        }
    }

    /// The limits of `GatewayLimits` that progress is measured by.
    package struct Limits: Hashable, Sendable {
        package var window: Duration
        /// The bytes that each part or list has to take in during a window.
        package var bytesMin: UInt64
        /// What slow parts may hold together.
        package var slowBytesMax: UInt64

        package init(window: Duration, bytesMin: UInt64, slowBytesMax: UInt64) {
            self.window = window
            self.bytesMin = bytesMin
            self.slowBytesMax = slowBytesMax
        }
    }

    /// What the gateway evicts now.
    package struct OnWindow: Hashable, Sendable {
        package var parts: [HeldPart] = []
        package var lists: [HeldList] = []
    }

    package private(set) var phase = Phase.idle
    /// Slow parts to evict if there is no room. The part to evict next is the last element.
    private var slowParts: [HeldPart] = []

    /// The gateway has accepted no connection yet.
    package init() {}

    /// Begins the first window, because a connection is accepted while there is no other.
    package mutating func began(_ limits: Limits, now: Instant) {
        phase = .watching(nextAt: now + limits.window)
    }

    /// When `windowPassed` is due. Without connections nothing is measured, and the gateway ignores this deadline.
    package var nextDeadline: Instant? {
        guard case .watching(let nextAt) = phase else { return nil }
        return nextAt
    }

    /// Finds the parts and lists without progress at the end of a window, and begins the next window. `heardBytes`:
    /// bytes that arrived on each connection during the window.
    package mutating func windowPassed(
        parts: [HeldPart], lists: [HeldList], heardBytes: [ConnectionID: UInt64], _ limits: Limits, now: Instant
    ) -> OnWindow {
        phase = .watching(nextAt: now + limits.window)
        var holders: [ConnectionID: UInt64] = [:]
        for part in parts { holders[part.owner.connection, default: 0] += 1 }
        for list in lists { holders[list.attachment.connection, default: 0] += 1 }
        let moving = heardBytes.filter { $0.value >= limits.bytesMin * (holders[$0.key] ?? 0) }
        let stagnant = OnWindow(
            parts: parts.filter { part in
                guard let gain = part.gain else { return false }
                if part.isHeldUntilWhole, gain.bytes == 0 { return true }
                guard moving[part.owner.connection] == nil else { return false }
                return gain.bytes < min(limits.bytesMin, gain.creditBytes)
            },
            lists: lists.filter { !$0.hasMoved && moving[$0.attachment.connection] == nil })
        let slow = parts.filter { part in
            guard let gain = part.gain else { return false }
            return gain.bytes < part.bytesReserved && !part.isWhole
        }
        slowParts = Self.firstToEvict(among: slow, bytesMax: limits.slowBytesMax)
        return stagnant
    }

    /// Takes the slow part to evict next, because the budget is full; `nil` if no part has to be evicted.
    package mutating func nextSlowPart() -> HeldPart? { slowParts.popLast() }

    /// The slow parts to evict until the remaining slow parts hold no more than `bytesMax`; the part to evict first is
    /// the last element. Each one is the slowest part of the device whose slow parts hold the most, but never a
    /// device's only slow part.
    private static func firstToEvict(among slow: [HeldPart], bytesMax: UInt64) -> [HeldPart] {
        var held = slow.reduce(0) { $0 + $1.bytesReserved }
        guard held > bytesMax else { return [] }
        // For each device, the slowest part comes last. Between equal parts the order of `slow` decides, so that the
        // result is always the same.
        var ofDevices = Dictionary(grouping: slow, by: \.device).mapValues { $0.sorted { gained($0) > gained($1) } }
        var bytes = ofDevices.mapValues { $0.reduce(0) { $0 + $1.bytesReserved } }
        let devices = slow.map(\.device)
        var leaving: [HeldPart] = []
        while held > bytesMax {
            var greatest: SHA256Digest?
            for device in devices where (ofDevices[device]?.count ?? 0) > 1 {
                if bytes[device] ?? 0 > greatest.flatMap({ bytes[$0] }) ?? 0 { greatest = device }
            }
            guard let greatest, let slowest = ofDevices[greatest]?.popLast() else { break }
            bytes[greatest] = (bytes[greatest] ?? 0) - slowest.bytesReserved
            held -= slowest.bytesReserved
            leaving.append(slowest)
        }
        return leaving.reversed()
    }

    private static func gained(_ part: HeldPart) -> UInt64 { part.gain?.bytes ?? 0 }
}
