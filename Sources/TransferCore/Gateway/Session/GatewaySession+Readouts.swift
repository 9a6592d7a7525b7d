import TransferCommon
import WireProtocol

// What the gateway asks a session: whether it may forget the session, and whether another session may adopt this one.

extension GatewaySession {
    /// Whether the gateway loses nothing if it forgets the session: no slot, no bytes, no request under way.
    func isForgettable(_ limits: GatewayLimits, now: Instant) -> Bool {
        if case .ended = phase { return true }
        if case .new = phase { return attached.isEmpty && !intake.parts.mayLand }
        guard let detachedAt = attached.detachedAt, mayBeForgotten else { return false }
        return detachedAt + limits.sessionGrace <= now
    }

    /// Whether the session has ended and is kept only for an agent that may ask again.
    var isOnlyRemembered: Bool { phase.isRemembered && attached.isEmpty && parts.isEmpty && leftover.isIdle }

    /// Whether the session is open or remembered, holds no bytes, and needs no answer of the store.
    var mayBeForgotten: Bool {
        (phase.isOpen || phase.isRemembered) && parts.isEmpty && leftover.isIdle
            && !partsMayLand
    }

    /// Whether parts of an upload that were given up may still be stored.
    var partsMayLand: Bool { !isOnePart && intake.parts.mayLand }

    /// Whether this session may be adopted: no slot carries it, and it waits for parts (specification §8.3).
    var isAdoptable: Bool { (phase.isOpen || phase == .new) && attached.isEmpty }

    /// Whether a stopping gateway waits for the session.
    var isBusy: Bool {
        // An agent that has learned of the last stored part asks for the completion next.
        phase.isBusy(isFed: parts.isFed || (!attached.isEmpty && intake.parts.isWhole))
    }

    // MARK: Looks at the key

    /// Whether the session still waits for the answer to a look at the key.
    func awaitsLook(_ request: StoreRequestID) -> Bool {
        phase.awaits(request) || parts.number(ofLook: request) != nil
    }

    /// Whether the session's next step depends on the bytes of the object that a look has found.
    func needsContent(of object: ObjectSummary) -> Bool { target.writeGuard.needsContent(of: object) }

    /// The request of an opening session for which no slot waits any more, and which has changed nothing in the store;
    /// otherwise `nil`. The answer is not needed: if an agent asks for the session again, the session opens anew.
    var abandonedRequest: StoreRequestID? {
        guard case .asking(.opening(let opening), let request) = phase, !opening.hasWritten, attached.isEmpty else {
            return nil
        }
        return request
    }
}
