import TransferCommon
import WireProtocol

// What an upload does about a code: the reactions are those of `FailureRule` (specification §12).

extension AgentUpload {
    mutating func received(_ refused: SessionRefused, stage: Stage, _ context: inout AgentContext) {
        received(
            code: refused.code, message: refused.message, adviceMilliseconds: refused.retryAfterMilliseconds,
            stage: stage, &context)
    }

    mutating func received(
        _ report: ErrorReport, at attachment: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        switch report.scope {
        case .part(let number):
            // A part that was offered elsewhere since is no longer this slot's.
            guard parts[number]?.place == attachment else {
                let failure = UploadFailure(report.code, message: report.message)
                return namedPartRefused(number, failure, report.code, at: attachment, &context)
            }
            partRefused(
                number, report.code, message: report.message, adviceMilliseconds: report.retryAfterMilliseconds,
                &context)
        case .session:
            received(
                code: report.code, message: report.message, adviceMilliseconds: report.retryAfterMilliseconds,
                stage: stage, &context)
        case .connection:
            break  // Such a report does not come here.
        }
    }

    private mutating func received(
        code: ErrorCode, message: String, adviceMilliseconds: UInt32, stage: Stage, _ context: inout AgentContext
    ) {
        if isDropping, phase == .opening { return end(.dropped, &context) }
        if stage == .resuming, phase != .resuming {
            return slotRefused(adviceMilliseconds: adviceMilliseconds, &context)
        }
        switch FailureRule.reaction(to: code, in: .session) {
        case .beginAnew where stage == .aborting:
            dropped(&context)  // What cannot be named cannot be dropped; cleaning finds it.
        case .beginAnew where code == .sessionLost && isInAnotherSlot:
            slotRefused(adviceMilliseconds: adviceMilliseconds, &context)
        case .beginAnew:
            beginAnew(after: code, &context)
        case .tryAgain, .reconnect, .readAgain:
            retry(code: code, message: message, adviceMilliseconds: adviceMilliseconds, &context)
        case .report, .stop:
            end(.failed(UploadFailure(code, message: message)), &context)
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
            // Nothing else can be made of a stream's session.
            if request.isStream { abandon(failure, &context) } else { end(.failed(failure), &context) }
        case .tryAgain, .reconnect, .beginAnew:
            deferPart(number, code: code, adviceMilliseconds: adviceMilliseconds, &context)
        }
    }

    /// How often the bytes of one part may turn out to be others than those that were hashed before that is reported.
    private static let mismatchesMax = 3

    /// The bytes that arrived are not those that were hashed: the file is read again, which shows whether it changed.
    private mutating func readAgain(_ number: PartNumber, _ context: inout AgentContext) {
        let mismatches = parts[number]?.mismatches ?? 0
        removePart(number, &context)
        queue.putFirst([number])
        if plan?.isOnePart == true { reopenAfterCompletion() }
        guard takeUpPart(&context) else { return }
        parts[number]?.mismatches = mismatches + 1
        parts[number]?.wasDeferred = true
    }

    // MARK: Several slots

    /// Whether another slot carries the session. The gateway at its other end may be completing the session at this
    /// moment.
    private var isInAnotherSlot: Bool { links.contains { $0.stage == .open || $0.stage == .completing } }

    /// One of several slots is closed: a query that joins was refused, or the session is lost to one gateway. The
    /// session goes on in the other slots, and only the answer in the last one counts (specification §8.2). A query
    /// that joins lists no parts; so where it was the last, the session is resumed with a query that does.
    mutating func slotRefused(adviceMilliseconds: UInt32, _ context: inout AgentContext) {
        failures += 1
        let delay = context.retryDelay(afterFailures: failures, adviceMilliseconds: adviceMilliseconds)
        joinsAt = context.now + delay
        if links.isEmpty { return goOnElsewhere(at: joinsAt, &context) }
        guard phase == .completing, !links.contains(where: { $0.stage == .completing }) else { return }
        // The slot in which the outcome was awaited is gone: COMPLETE goes out in another.
        phase = .transferring
        recheckIfWhole(&context)
    }

    // MARK: Beginning anew

    /// The session is of no more use, though the file is well: the file begins anew (specification §8.5). A loss is
    /// counted in the journal before that, and the second one is reported instead.
    mutating func beginAnew(after code: ErrorCode, _ context: inout AgentContext) {
        losses += 1
        leaveLinks(&context)
        forgetParts(&context)
        let mayAbort = code == .rootMismatch || code == .listInvalid
        guard losses < context.limits.lossesMax, !request.isStream else {
            let failure = UploadFailure(.sessionLost, messageOfLoss(code))
            return mayAbort && plan?.isOnePart == false ? abandon(failure, &context) : end(.failed(failure), &context)
        }
        context.actions.append(.report(id, .lost))
        context.journal(.lost(id, losses: losses))
        // The session that the gateway found wrong exists, and is dropped first.
        if mayAbort { leaveSavedSession(isOtherVersion: false, &context) } else { startOver(&context) }
    }

    private func messageOfLoss(_ code: ErrorCode) -> String {
        guard !request.isStream else {
            return "what was sent of the stream cannot be used any more (\(code.words)), and it cannot be read again"
        }
        return code == .sessionLost
            ? "the store lost this upload \(losses) times; look at its expiry rules, then push again"
            : "what was sent could not be used any more \(losses) times, at last because of this: \(code.words)"
    }
}
