import TransferCommon
import WireProtocol

// What the parts of all sessions share: the budget, the flows, and the calls to the store.

/// The call to the store that takes a part which was decided *send*, and what is reserved for it.
package struct PartGrant: Hashable, Sendable {
    package var call: StoreRequestID
    package var bytesReserved: UInt64
    /// The number of bytes that the agent may send before the store has taken any.
    package var bytesFirst: UInt64

    package init(call: StoreRequestID, bytesReserved: UInt64, bytesFirst: UInt64) {
        self.call = call
        self.bytesReserved = bytesReserved
        self.bytesFirst = bytesFirst
    }
}

extension GatewayContext {
    /// Whether an offered part is decided *send*.
    enum OnGrant: Hashable {
        case granted(PartGrant)
        case later(ErrorCode, after: Duration)
    }

    /// Asks the circuit breaker, the pace and the budget for a part. If all agree, requests the call to the store.
    mutating func grant(_ part: IncomingPart, owner: Attachment, of target: SessionTarget) -> OnGrant {
        var bytesFirst = UInt64.max
        switch partAdmission() {
        case .admitted(let isCautious): if isCautious { bytesFirst = limits.breaker.cautiousBytes }
        case .later(let code, let delay): return .later(code, after: delay)
        }
        let device = target.device.fingerprint
        let wanted = part.bytesNeeded(window: limits(of: device).partWindowBytes)
        guard reserve(wanted, device: device) else { return .later(.busy, after: limits.laterAdvice) }
        reservations.decided(on: owner.connection, received: part.received)
        let call = request(target.storing(part), for: .session(target.session, device: device))
        partBegan(call)
        return .granted(PartGrant(call: call, bytesReserved: wanted, bytesFirst: bytesFirst))
    }

    /// Ends the flow of a part that was given up, and the call to the store that reads from the flow.
    mutating func giveUp(_ part: IncomingPart, of device: SHA256Digest) {
        if let call = part.sending?.call {
            actions.append(.cancel(call))
            breaker.abandoned(call, now: now)
        }
        release(part, of: device)
    }

    /// Frees credit, budget, flow and look at the key of a part that was removed. No other method frees them.
    mutating func release(_ part: IncomingPart, of device: SHA256Digest) {
        if let look = part.look, let owner = flowOwners[part.flow] { leave(look, of: owner.session) }
        if part.isUndecided, let owner = part.owner {
            reservations.decided(on: owner.connection, received: part.received)
        }
        reservations.release(part.bytesReserved, device: device)
        dropFlow(part.flow)
    }
}
