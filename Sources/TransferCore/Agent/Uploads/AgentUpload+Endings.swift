import TransferCommon
import WireProtocol

// How an upload waits, loses its connection, is dropped and ends.

extension AgentUpload {
    // MARK: Dropping

    /// The user drops the upload while it is under way.
    mutating func dropNow(_ context: inout AgentContext) {
        guard !lifecycle.isDropping, !phase.hasOutcome else { return }
        guard phase == .aborting else { return drop(&context) }
        // An older version is being dropped already; now no new version follows.
        lifecycle.drop(.end)
        context.journal(.dropping(id))
    }

    /// The source cannot be read to its end: what was begun is dropped, and the upload ends with this failure.
    mutating func abandon(_ failure: UploadFailure, _ context: inout AgentContext) {
        drop(then: .fail(failure), &context)
    }

    /// Drops what was begun at the gateway, then the journal's row.
    mutating func drop(then after: UploadLifecycle.After = .end, _ context: inout AgentContext) {
        forgetParts(&context)
        lifecycle.drop(after)
        context.journal(.dropping(id))
        if phase == .opening, session.isMultipart {
            return  // The answer brings the token that ABORT needs.
        }
        if session.token.isEmpty {
            end(after.outcome ?? .dropped, &context)
        } else {
            leaveLinks(&context)
            lifecycle.wait(to: .abort, until: context.now)
        }
    }

    // MARK: Ending

    /// Ends the upload. If it is being dropped because its source failed, that failure is the outcome.
    mutating func end(_ outcome: UploadOutcome, _ context: inout AgentContext) {
        let outcome = outcome == .dropped ? lifecycle.after.outcome ?? .dropped : outcome
        leaveLinks(&context)
        finish(outcome, &context)
    }

    /// Ends the upload and keeps all its state for the next run.
    mutating func giveUp(_ failure: UploadFailure, _ context: inout AgentContext) {
        if !phase.hasOutcome { end(.failed(failure), &context) }
    }

    /// Ends the upload and keeps all its state for the next run, while the agent's connections end, too. No SESSION
    /// LEAVE is sent: after it the gateway would drop the bytes that it has received, but it keeps them for a while
    /// after the end of a connection.
    mutating func giveUpWithConnections(_ failure: UploadFailure, _ context: inout AgentContext) {
        guard !phase.hasOutcome else { return }
        lifecycle.closedAll()
        finish(.failed(failure), &context)
    }

    private mutating func finish(_ outcome: UploadOutcome, _ context: inout AgentContext) {
        forgetParts(&context)
        if session.mayStillAppear, outcome.forgetsUnknownOutcome { context.journal(.mayStillAppear(id)) }
        lifecycle.end(outcome, recordedBy: context.journal(.finished(id, outcome), awaitedBy: id))
    }

    // MARK: Waiting

    /// Waits because of a code from a gateway, and then sends the request again.
    mutating func retry(
        code: ErrorCode, message: String, adviceMilliseconds: UInt32, _ context: inout AgentContext
    ) {
        failures += 1
        trouble = UploadFailure(code, message: message)
        // RESUME QUERY with a list of stored parts is long, so it is repeated less often than the gateway would allow.
        let delay =
            parts.stored.isEmpty
            ? context.clock.storeDelay(
                afterFailures: failures, GatewayRefusal(code, adviceMilliseconds: adviceMilliseconds))
            : context.clock.retryDelay(afterFailures: failures, adviceMilliseconds: adviceMilliseconds)
        askAgain(at: context.now + delay, &context)
        waitsForStoreUntil = code.isOfStore ? context.now + delay : nil
        context.reportWait(of: id, GatewayRefusal(code, message: message))
    }

    /// The request that follows when the last connection is lost.
    var requestToRepeat: PendingRequest {
        phase == .aborting ? .abort : session.requestToRepeat
    }

    /// Leaves all slots; the session is to be opened or resumed again.
    mutating func askAgain(at moment: Instant, _ context: inout AgentContext) {
        let request = requestToRepeat
        interruptParts(&context)
        leaveLinks(&context)
        lifecycle.wait(to: request, until: moment)
        context.isRoomToBeLookedAt = true
    }

    /// The agent calls this after each frame. If a frame has closed the last slot without answering the request, no
    /// answer can arrive any more, so the request is sent again after a while.
    mutating func askAgainIfStranded(_ context: inout AgentContext) {
        guard lifecycle.isStranded else { return }
        failures += 1
        askAgain(at: context.now + context.clock.retryDelay(afterFailures: failures), &context)
    }

    // MARK: Slots

    /// Sends SESSION LEAVE in every slot of the upload. The gateway keeps what is stored. A slot is free again when
    /// SESSION LEFT has been read in it.
    mutating func leaveLinks(_ context: inout AgentContext) {
        for link in lifecycle.links.all {
            context.connections[link.place.connection]?.withOpen { $0.leave(link.place.slot, of: id) }
            context.send(.sessionLeave(SessionLeave()), to: link.place)
        }
        lifecycle.closedAll()
        parts.forgetSlots { _ in true }
    }

    /// A frame of the gateway has closed the slot. The parts that were offered in it wait for another slot.
    mutating func linkClosed(_ place: Attachment, _ context: inout AgentContext) {
        lifecycle.closed(place)
        parts.forgetSlots { $0 == place }
        interruptParts(at: place, &context)
    }

    mutating func connectionLost(_ connection: ConnectionID, _ context: inout AgentContext) {
        guard lifecycle.links.contains(connection) else { return }
        let onLost = lifecycle.connectionLost(connection, hasToken: !session.token.isEmpty)
        parts.forgetSlots { $0.connection == connection }
        if parts.hasDataUnderWay(on: connection) { parts.shrinkWindow() }
        interruptParts(on: connection, &context)
        switch onLost {
        case .unaffected: break
        case .askAgain: askAgain(at: context.now, &context)
        case .dropped: end(.dropped, &context)
        }
    }
}

extension UploadOutcome {
    /// Whether the journal's row is deleted although the outcome of the session's last request is unknown.
    fileprivate var forgetsUnknownOutcome: Bool {
        switch self {
        case .stored: false
        case .dropped: true
        case .failed(let failure): !failure.isKept
        }
    }
}

extension Welcome {
    /// The sizes of parts and objects that the gateway accepts.
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
