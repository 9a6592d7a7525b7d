package import TransferCommon
package import WireProtocol

/// What a session at one gateway does now.
///
///     from        event                                                                              to
///     new         SESSION OPEN; RESUME QUERY                                                         opening
///     new         another session adopts this one                                                    open
///     opening     the store is ready for parts                                                       open
///     opening     the store does not know the upload                                                 searching
///     opening     a look finds an object of this session                                             settled
///     opening     a look finds another object; the store fails; another is adopted; no slot is left  ended
///     open        COMPLETE of several parts passes the checks                                        completing
///     open        the upload is unknown; a condition failed; a conflict                              searching
///     open        three parts of a resumed session fail in a row                                     checking
///     open        the store has the object of a one-part file                                        settled
///     open        a look finds another object; a part cannot be stored                               ended
///     any         the session is refused, and a part that was given up may still be stored           new
///     checking    the store lists the upload, or fails                                               open
///     checking    the store does not know the upload                                                 searching
///     checking    COMPLETE of several parts passes the checks                                        completing
///     searching   nothing forbids the completion                                                     completing
///     searching   nothing forbids the one part, which the agent sends again                          open
///     searching   a look finds an object of this session                                             settled
///     searching   a look finds another object, and there is an upload                                taken
///     searching   nothing is found for long enough; the store fails                                  ended
///     completing  the store wants parts                                                              open
///     completing  the upload is unknown; a condition failed; a conflict                              searching
///     completing  the store has the object                                                           settled
///     completing  a look finds another object                                                        taken
///     completing  the store fails                                                                    ended
///     settled     ABORT                                                                              ended
///     any         ABORT of a session with an upload                                                  aborting
///     aborting    the store lists no part; the store fails                                           ended
///
/// - *Opening*, *checking*, *searching*, *completing* and *aborting* are the cases of `SessionWork`. The phase is then
///   `asking` or `resting`, and the table names it by its work.
/// - *Another object* is one that the session may not replace, or that the agent compares with.
/// - An ABORT that finds nothing to drop in the store ends the session at once.
/// - After a while without a slot the gateway forgets a session that is open, settled or taken. It forgets an ended one
///   at once.
package enum SessionPhase: Hashable, Sendable {
    /// No slot is attached: the session is new, or was refused while a given-up part may still be stored.
    case new
    /// The work waits for the store's answer to this request.
    case asking(SessionWork, StoreRequestID)
    /// The work waits for the end of a pause, for the answers to requests that were given up, or until the gateway has
    /// adopted the session that was found.
    case resting(SessionWork)
    /// The session takes parts.
    case open
    /// The store has the object; the gateway remembers the answer for a while. `isVerified`: a receipt may state it.
    case settled(Completed, isVerified: Bool)
    /// The key holds an object that this session may not replace; the gateway drops the upload and remembers that.
    case taken(SessionExists)
    case ended

    package var isOpen: Bool {
        if case .open = self { true } else { false }
    }

    /// The work of the phase, if any.
    package var work: SessionWork? {
        switch self {
        case .asking(let work, _), .resting(let work): work
        case .new, .open, .settled, .taken, .ended: nil
        }
    }

    /// Whether the phase waits for the answer to a request.
    package func awaits(_ request: StoreRequestID) -> Bool {
        guard case .asking(_, request) = self else { return false }
        return true
    }

    /// The request that asks the store to complete the upload, if the phase waits for its answer.
    package var completeRequest: StoreRequestID? {
        guard case .asking(.completing(let completion), let request) = self, completion.step == .completing else {
            return nil
        }
        return request
    }

    /// When the pause of the work ends; `nil` if the session does not pause.
    package var pauseEnd: Instant? {
        guard case .resting(let work) = self else { return nil }
        return work.nextDeadline
    }

    /// Whether a stopping gateway waits for a session in this phase. `isFed`: an agent sends bytes of a part, or is
    /// about to ask for the completion.
    func isBusy(isFed: Bool) -> Bool {
        switch self {
        case .new, .ended, .settled, .taken: false
        case .open: isFed
        case .asking, .resting: true
        }
    }

    /// Whether the session has ended and is kept only for an agent that may ask again.
    package var isRemembered: Bool {
        switch self {
        case .settled, .taken: true
        case .new, .asking, .resting, .open, .ended: false
        }
    }
}
