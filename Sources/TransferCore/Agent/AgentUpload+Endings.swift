import TransferCommon
import WireProtocol

// How an upload waits, loses its connection, and ends.

extension AgentUpload {
    /// Begins anew instead of going on with a saved session. Where the session has an upload, the upload is aborted
    /// first.
    ///
    /// - Parameter isOtherVersion: the file is not known to be the version that the session is of. That version may
    ///   still appear under the key, so the new one waits for the put limit.
    mutating func leaveSavedSession(isOtherVersion: Bool, _ context: inout AgentContext) {
        let isOnePart = plan?.isOnePart == true
        guard token.isEmpty || isOnePart else {
            phase = .waiting(.abort, until: context.now)
            return
        }
        startOver(&context)
        if isOnePart, isOtherVersion { putLimit.otherVersionMayAppear() }
    }

    mutating func end(_ outcome: UploadOutcome, _ context: inout AgentContext) {
        let outcome = outcome == .dropped ? abandonment.map { .failed($0) } ?? .dropped : outcome
        leaveLinks(&context)
        finish(outcome, &context)
    }

    /// Ends while the connections end too: the gateway takes that for a cut, and keeps what it has received for a
    /// while. After SESSION LEAVE it would not.
    mutating func endWithConnections(_ failure: UploadFailure, _ context: inout AgentContext) {
        links = []
        finish(.failed(failure), &context)
    }

    private mutating func finish(_ outcome: UploadOutcome, _ context: inout AgentContext) {
        forgetParts(&context)
        if mayStillAppear, outcome.forgetsUnknownOutcome { context.journal(.mayStillAppear(id)) }
        phase = .ending(context.journal(.finished(id, outcome), awaitedBy: id), outcome)
    }

    /// Waits and begins again, because of what a gateway or store said.
    mutating func retry(
        code: ErrorCode, message: String, adviceMilliseconds: UInt32, _ context: inout AgentContext
    ) {
        failures += 1
        trouble = UploadFailure(code, message: message)
        // A query that lists stored parts is long: it is not repeated as often as the gateway would bear.
        let delay =
            stored.isEmpty
            ? context.storeDelay(afterFailures: failures, code: code, adviceMilliseconds: adviceMilliseconds)
            : context.retryDelay(afterFailures: failures, adviceMilliseconds: adviceMilliseconds)
        goOnElsewhere(at: context.now + delay, &context)
        waitsForStoreUntil = code.isOfStore ? context.now + delay : nil
        context.reportWait(of: id, code, message: message)
    }

    /// Turns away from every slot that is still in use: the gateway keeps what is stored. A slot can be used again when
    /// SESSION LEFT has been read.
    mutating func leaveLinks(_ context: inout AgentContext) {
        for link in links {
            context.connections[link.attachment.connection]?.withOpen { $0.leave(link.attachment.slot, of: id) }
            context.send(.sessionLeave(SessionLeave()), to: link.attachment)
        }
        links = []
        named.forgetSlots { _ in true }
    }

    /// What to ask for again when the last connection is lost.
    var requestToRepeat: PendingRequest {
        if case .aborting = phase { return .abort }
        return token.isEmpty || plan?.isOnePart == true ? .open : .resume
    }

    /// The session is to be opened or resumed anew; whatever is left of it on other connections is left.
    mutating func goOnElsewhere(at moment: Instant, _ context: inout AgentContext) {
        let pending = requestToRepeat
        interruptParts(&context)
        leaveLinks(&context)
        phase = .waiting(pending, until: moment)
        context.isRoomToBeLookedAt = true
    }

    /// Called by the agent after each frame. A frame that closes the last slot and is no answer to what was asked
    /// leaves nothing to wait for: the request is sent again, after a while.
    mutating func goOnIfStranded(_ context: inout AgentContext) {
        guard links.isEmpty else { return }
        switch phase {
        case .opening, .resuming, .transferring, .completing, .aborting:
            failures += 1
            goOnElsewhere(at: context.now + context.retryDelay(afterFailures: failures), &context)
        case .waiting, .recording, .comparing, .verifying, .rechecking, .ending, .ended:
            break
        }
    }

    /// The slot has been closed by the gateway's frame; the parts that were offered in it wait for another.
    mutating func linkClosed(_ attachment: Attachment, _ context: inout AgentContext) {
        links.removeAll { $0.attachment == attachment }
        named.forgetSlots { $0 == attachment }
        interruptParts(at: attachment, &context)
    }

    mutating func connectionLost(_ connection: ConnectionID, _ context: inout AgentContext) {
        guard links.contains(where: { $0.attachment.connection == connection }) else { return }
        let wasCompleting = links.contains { $0.attachment.connection == connection && $0.stage == .completing }
        links.removeAll { $0.attachment.connection == connection }
        named.forgetSlots { $0.connection == connection }
        let hasLost = parts.values.contains { part in
            part.isSending && part.offer.map { $0.taken > 0 && $0.place.connection == connection } ?? false
        }
        if hasLost { window.shrink() }
        interruptParts(on: connection, &context)
        switch phase {
        case .transferring where !links.isEmpty, .rechecking where !links.isEmpty, .verifying, .comparing:
            break
        case .completing where !wasCompleting && !links.isEmpty:
            break
        case .opening where isDropping && token.isEmpty:
            end(.dropped, &context)
        case .opening, .resuming, .transferring, .rechecking, .completing, .aborting:
            goOnElsewhere(at: context.now, &context)
        case .waiting, .recording, .ending, .ended:
            break
        }
    }
}

extension UploadOutcome {
    /// Whether the journal's row is deleted although the outcome of the session's last request is not known.
    var forgetsUnknownOutcome: Bool {
        switch self {
        case .stored: false
        case .dropped: true
        case .failed(let failure): !failure.isKept
        }
    }
}

extension Welcome {
    var rule: PartRule {
        PartRule(
            partBytesMin: partBytesMin, partBytesMax: partBytesMax, partBytesDefault: partBytesDefault,
            partsMax: partsMax, objectBytesMax: objectBytesMax)
    }
}

extension PartRule.Refusal {
    var failure: UploadFailure {
        switch self {
        case .partSizeOutOfBounds(let wish):
            UploadFailure(.partSizeUnsupported, "the gateway does not take parts of \(wish) bytes")
        case .partSizeTooSmall(let wish, let needed):
            UploadFailure(
                .partSizeUnsupported, "parts of \(wish) bytes are too many for this file; at least \(needed) are needed"
            )
        case .fileTooLarge(let most):
            UploadFailure(.sizeUnsupported, "the store takes files of at most \(most) bytes")
        }
    }
}
