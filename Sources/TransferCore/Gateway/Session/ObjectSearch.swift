package import TransferCommon

/// The search for a session's object, after an answer of the store to a write that does not show what the key holds.
///
///     from     event                                                              to
///     looking  nothing of the session is found; looks or patience are left        pausing
///     looking  nothing of the session is found; a condition had failed            writeAgain
///     looking  nothing of the session is found by all looks after a conflict      writeAgain
///     looking  nothing of the session is found; looks and patience are used up    lost
///     pausing  the pause is over                                                  looking
///
/// - `writeAgain` and `lost` are no phases: each ends the search, and the session does the rest. A look that finds the
///   session's object, or an object that the session may not replace, also ends the search.
/// - Only this type applies the limits of looks and of patience, so that no caller can forget them.
package struct ObjectSearch: Hashable, Sendable {
    /// The store's answer to the write. This answer makes the session search for its object.
    package enum Cause: Hashable, Sendable {
        /// The store does not know the upload, perhaps because another gateway is completing it.
        case uploadUnknown
        /// The write condition did not hold. The key had to be free and held an object, or the condition named an
        /// object and the key held another one or none.
        case conditionFailed
        /// Another request for the key was under way at the same time, perhaps one of this session. If the key holds
        /// nothing after some looks, the session sends the same request again. If the other request has completed the
        /// upload meanwhile, the store answers that it does not know the upload.
        case conflict
    }

    /// The phases of the search, as the table in the comment on `ObjectSearch` lists them.
    package enum Phase: Hashable, Sendable {
        /// The store is looking up the key.
        case looking
        /// The next look is at this time.
        case pausing(until: Instant)
    }

    /// What the session does after a look that finds no object of the session.
    package enum OnNothing: Hashable, Sendable {
        /// The session does nothing now: the next look follows after a pause.
        case pause
        /// Nothing forbids the write. The session repeats the write; if it cannot, the session is lost.
        case writeAgain
        case lost
    }

    package let cause: Cause
    package private(set) var phase = Phase.looking
    private var looks = 1
    /// Until this moment, another gateway's request may still make the session's object.
    private let patientUntil: Instant

    /// Begins while the store looks up the key. `patience`: how long another gateway may take to complete the upload;
    /// used only if `cause` is `uploadUnknown`.
    package init(cause: Cause, patience: Duration, now: Instant) {
        self.cause = cause
        self.patientUntil = cause == .uploadUnknown ? now + patience : now
    }

    /// Decides what follows a look that found no object, or one that this session may replace. At least `looksMin`
    /// looks precede the end of the search. Each pause is longer than the one before by `interval`.
    package mutating func foundNothing(looksMin: Int, interval: Duration, now: Instant) -> OnNothing {
        if cause == .conditionFailed { return .writeAgain }
        guard looks < looksMin || now < patientUntil else { return cause == .conflict ? .writeAgain : .lost }
        phase = .pausing(until: now + interval * min(looks, 10))
        return .pause
    }

    /// When `resumed` is due; `nil` except while pausing.
    package var nextDeadline: Instant? {
        guard case .pausing(let until) = phase else { return nil }
        return until
    }

    /// The pause is over: the session asks the store for the next look.
    package mutating func resumed() {
        looks += 1
        phase = .looking
    }
}
