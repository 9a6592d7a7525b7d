package import TransferCommon
package import TransferCore
package import WireProtocol

/// One method for each event of a gateway that tests report often.
extension Gateway {
    package mutating func devicesChanged(_ list: [AuthorisedDevice], now: Instant) {
        handle(.devicesChanged(list), now: now)
    }

    package mutating func siteKeyChanged(now: Instant) { handle(.siteKeyChanged, now: now) }

    package mutating func enrolled(_ outcome: EnrolmentOutcome, on id: ConnectionID, now: Instant) {
        handle(.enrolled(outcome, on: id), now: now)
    }

    package mutating func accepted(_ id: ConnectionID, now: Instant) { handle(.accepted(id), now: now) }

    package mutating func heard(_ bytes: UInt64, from id: ConnectionID, now: Instant) {
        handle(.heard(bytes: bytes, from: id), now: now)
    }

    package mutating func receivedFrame(
        _ frame: Frame, slot: Slot, from id: ConnectionID, now: Instant, wallMilliseconds: Int64
    ) {
        handle(.frame(frame, slot: slot, from: id, wallMilliseconds: wallMilliseconds), now: now)
    }

    package mutating func pauseAfterFrame(from id: ConnectionID, now: Instant) -> Duration? {
        handle(.frameCounted(from: id), now: now).pause
    }

    package mutating func receivedMalformed(
        _ code: ErrorCode, message: String, from id: ConnectionID, now: Instant
    ) {
        handle(.malformed(code, message: message, from: id), now: now)
    }

    package mutating func receivedData(
        _ header: PartDataHeader, slot: Slot, from id: ConnectionID, now: Instant
    ) -> OnPartData {
        handle(.data(header, slot: slot, from: id), now: now).partData
    }

    package mutating func receivedBytes(_ count: UInt64, flow: FlowID, from id: ConnectionID, now: Instant) -> Bool {
        handle(.bytes(count, flow: flow, from: id), now: now).areBytesWanted
    }

    package mutating func connectionLost(_ id: ConnectionID, now: Instant) {
        handle(.connectionLost(id), now: now)
    }

    package mutating func consumed(_ total: UInt64, flow: FlowID, now: Instant) {
        handle(.consumed(total: total, flow: flow), now: now)
    }

    package mutating func storeAnswered(
        _ request: StoreRequestID, _ answer: StoreAnswer, now: Instant, wallMilliseconds: Int64
    ) {
        handle(.storeAnswered(request, answer, wallMilliseconds: wallMilliseconds), now: now)
    }

    package mutating func drain(within duration: Duration, now: Instant) {
        handle(.drain(within: duration), now: now)
    }
}
