package import TransferCommon

/// Dropping a session's upload in the store, after ABORT (specification §9.3).
///
///     from             event                                                         to
///     asking           the store has dropped the upload                              listing
///     asking           the store fails and may succeed later                         pausing
///     asking           the store does not know the upload, and no part may land      finished
///     asking           the store refuses; all attempts have failed                   failed
///     listing          the store has dropped the upload                              listing
///     listing          the store lists a part, or fails; a part may still land       pausing
///     listing          the store lists no part, and no part may land                 finished
///     listing          the store refuses; all attempts have failed                   failed
///     pausing          the pause is over                                             asking
///     awaitingGivenUp  the store has answered every request that was given up        finished
///
/// - A request that was given up may still take effect until the store answers it. A part that lands after the abort
///   makes the upload reappear, so the abort is repeated until the store lists nothing and no such request is left.
/// - `finished` and `failed` are no phases: the session ends with them.
package struct UploadAbort: Hashable, Sendable {
    /// The phases of the abort, as the table in the comment on `UploadAbort` lists them.
    package enum Phase: Hashable, Sendable {
        /// The store is dropping the upload.
        case asking(upload: String)
        /// The store is listing what is left of the upload.
        case listing(upload: String)
        /// The abort is repeated at this time.
        case pausing(upload: String, until: Instant)
        /// A file of one part has no upload, but its requests that were given up may still store the object.
        case awaitingGivenUp
    }

    /// What the session does after an answer.
    package enum OnAnswer: Hashable, Sendable {
        /// The session asks the store `question`.
        case ask
        /// The session asks nothing: the abort is repeated after a pause.
        case pause
        case finished
        case failed
    }

    /// While a request that was given up has no answer (`mayLand`), each answer sets the count back to at most 5.
    private static let attemptsMax = 8

    package private(set) var phase: Phase
    private var attempts = 1

    private init(_ phase: Phase) {
        self.phase = phase
    }

    /// Begins with the phase `asking`: the session asks the store to drop its upload.
    package init(of upload: String) {
        self.init(.asking(upload: upload))
    }

    /// The abort of a one-part file, which has no upload: it only waits for requests that were given up.
    package static var ofOnePart: UploadAbort { UploadAbort(.awaitingGivenUp) }

    /// The request to the store in this phase; `nil` if the phase has none.
    package func question(key: String) -> StoreRequest? {
        switch phase {
        case .asking(let upload): .abort(key: key, upload: upload)
        case .listing(let upload): .listParts(key: key, upload: upload)
        case .pausing, .awaitingGivenUp: nil
        }
    }

    /// Judges the store's answer to `question`; in a phase without a question, nothing changes. `mayLand`: whether a
    /// request that was given up has no answer yet.
    package mutating func answered(_ answer: StoreAnswer, mayLand: Bool, now: Instant) -> OnAnswer {
        let upload: String
        switch phase {
        case .asking(let asked), .listing(let asked): upload = asked
        case .pausing, .awaitingGivenUp: return .pause
        }
        let attempt = attempts
        // While a request that was given up has no answer, the upload can reappear after an abort. That is no failure
        // of the store, so it does not use up the attempts.
        if mayLand { attempts = min(attempts, 5) }
        switch answer {
        case .done:
            phase = .listing(upload: upload)
            return .ask
        case .failed(.uploadUnknown) where !mayLand, .parts([]) where !mayLand:
            return .finished
        case .failed where mayLand, .parts where mayLand || attempt < Self.attemptsMax,
            .failed(.outcomeUnknown) where attempt < Self.attemptsMax:
            break
        case .failed(let error) where error.retryAfter != nil && attempt < Self.attemptsMax:
            break
        default:
            return .failed
        }
        phase = .pausing(upload: upload, until: now + .milliseconds(100 << min(attempt, 5)))
        return .pause
    }

    /// Whether the abort of a one-part file is finished, after an answer to a request that was given up. `mayLand`:
    /// whether another such request has no answer yet.
    package func isFinished(mayLand: Bool) -> Bool { phase == .awaitingGivenUp && !mayLand }

    /// When `resumed` is due; `nil` except while pausing.
    package var nextDeadline: Instant? {
        guard case .pausing(_, let until) = phase else { return nil }
        return until
    }

    /// The pause is over: the session asks the store again to drop the upload.
    package mutating func resumed() {
        guard case .pausing(let upload, _) = phase else { return }
        attempts += 1
        phase = .asking(upload: upload)
    }
}
