import TransferCommon
import WireProtocol

// How an upload reacts to an error code. `FailureRule` chooses the reaction (specification §12).

extension AgentUpload {
    mutating func received(_ refused: SessionRefused, stage: Stage, _ context: inout AgentContext) {
        received(
            code: refused.code, message: refused.message, adviceMilliseconds: refused.retryAfterMilliseconds,
            stage: stage, &context)
    }

    mutating func received(
        _ report: ErrorReport, at place: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        switch report.scope {
        case .part(let number):
            // If the part has been offered in another slot since, the report does not concern that offer.
            guard parts[number]?.place == place else {
                let failure = UploadFailure(report.code, message: report.message)
                // The gateway has evicted a part that it had named. The agent offers the part once it has read it.
                guard parts.evicted(number, at: place) else { return }
                switch FailureRule.reaction(to: report.code, in: .part) {
                case .report, .stop: return end(.failed(failure), &context)
                case .tryAgain, .reconnect, .beginAnew, .readAgain: return
                }
            }
            partRefused(
                number, report.code, message: report.message, adviceMilliseconds: report.retryAfterMilliseconds,
                &context)
        case .session:
            received(
                code: report.code, message: report.message, adviceMilliseconds: report.retryAfterMilliseconds,
                stage: stage, &context)
        case .connection:
            break  // The agent handles reports of this scope.
        }
    }

    private mutating func received(
        code: ErrorCode, message: String, adviceMilliseconds: UInt32, stage: Stage, _ context: inout AgentContext
    ) {
        switch lifecycle.refused(code, in: stage) {
        case .dropped: dropped(&context)
        case .slotClosed: slotRefused(adviceMilliseconds: adviceMilliseconds, &context)
        case .beginAnew: beginAnew(after: code, &context)
        case .retry: retry(code: code, message: message, adviceMilliseconds: adviceMilliseconds, &context)
        case .end: end(.failed(UploadFailure(code, message: message)), &context)
        }
    }

    // MARK: Parts

    /// A part was refused: by a decision, or while it was being received or stored.
    mutating func partRefused(
        _ number: PartNumber, _ code: ErrorCode, message: String, adviceMilliseconds: UInt32,
        _ context: inout AgentContext
    ) {
        guard let part = parts[number] else { return }
        let failure = UploadFailure(code, message: message)
        switch FailureRule.reaction(to: code, in: .part) {
        case .readAgain where part.mismatches + 1 < Self.mismatchesMax:
            readAgain(number, &context)
        case .readAgain:
            end(.failed(failure), &context)
        case .report, .stop:
            // A stream cannot be read again, so its session cannot be used any more.
            if request.isStream { abandon(failure, &context) } else { end(.failed(failure), &context) }
        case .tryAgain, .reconnect, .beginAnew:
            deferPart(number, code: code, adviceMilliseconds: adviceMilliseconds, &context)
        }
    }

    /// How often a part may arrive with other bytes than were hashed before the upload reports it.
    private static let mismatchesMax = 3

    /// The bytes that arrived are not those that were hashed. The agent reads the part again, which shows whether the
    /// file has changed.
    private mutating func readAgain(_ number: PartNumber, _ context: inout AgentContext) {
        let mismatches = parts[number]?.mismatches ?? 0
        removePart(number, &context)
        parts.putFirst([number])
        if session.isOnePart { lifecycle.reopen() }
        guard takeUpPart(&context) else { return }
        parts[number]?.mismatches = mismatches + 1
        parts[number]?.wasDeferred = true
    }

    // MARK: Several slots

    /// One of several slots of the session is closed: a query that joins was refused, or one gateway has lost the
    /// session. The session continues in the other slots, and only the answer in the last slot counts (specification
    /// §8.2). A query that joins lists no parts. So if the slot of such a query was the last one, the agent resumes the
    /// session with a query that lists the stored parts.
    mutating func slotRefused(adviceMilliseconds: UInt32, _ context: inout AgentContext) {
        failures += 1
        let delay = context.clock.retryDelay(afterFailures: failures, adviceMilliseconds: adviceMilliseconds)
        joinsAt = context.now + delay
        if lifecycle.links.isEmpty { return askAgain(at: joinsAt, &context) }
        // If the slot that waited for the outcome of COMPLETE is gone, COMPLETE is sent again in another slot.
        guard !lifecycle.links.contains(.completing), lifecycle.transferAgain() else { return }
        recheckIfWhole(&context)
    }

    // MARK: Beginning anew

    /// The session cannot be used any more, although the file is unchanged: the agent opens a new session for the file
    /// (specification §8.5). It first counts the loss in the journal. At the second loss, it reports the loss and opens
    /// no further session.
    mutating func beginAnew(after code: ErrorCode, _ context: inout AgentContext) {
        session.lost()
        leaveLinks(&context)
        forgetParts(&context)
        let mayAbort = code == .rootMismatch || code == .listInvalid
        guard session.losses < context.limits.lossesMax, !request.isStream else {
            let failure = UploadFailure(
                lossAfter: code, losses: session.losses, isStream: request.isStream)
            return mayAbort && session.isMultipart ? abandon(failure, &context) : end(.failed(failure), &context)
        }
        context.actions.append(.report(id, .lost))
        context.journal(.lost(id, losses: session.losses))
        // If the gateway found a fault in the session, the session still exists and is dropped first.
        if mayAbort { leaveSavedSession(isOtherVersion: false, &context) } else { startOver(&context) }
    }
}
