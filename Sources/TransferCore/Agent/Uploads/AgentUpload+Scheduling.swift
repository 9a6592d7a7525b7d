import TransferCommon
import WireProtocol

// What an upload does in its turn, and what it waits for afterwards.

extension AgentUpload {
    /// Takes every step that is possible now.
    mutating func doWhatItCan(_ context: inout AgentContext) -> UploadNeeds {
        while runPendingRequest(&context) {}
        joinConnections(&context)
        offerReadyParts(&context)
        takeUpParts(&context)
        return needs(context)
    }

    private mutating func takeUpParts(_ context: inout AgentContext) {
        if session.isSmall(context.limits) {
            while takeUpPart(&context) {}
        } else {
            while context.hasRoom, takeUpPart(&context) {}
        }
    }

    private func needs(_ context: AgentContext) -> UploadNeeds {
        var needs = UploadNeeds(holdsNothing: parts.isEmpty)
        if let moment = parts.nextOffer(after: context.now) { needs.wake(at: moment, now: context.now) }
        if wantsToJoin(context) { needs.wake(at: joinsAt, now: context.now) }
        if case .waiting(_, let until) = phase {
            needs.wake(at: until, now: context.now)
            needs.slot = until <= context.now
        }
        needs.room = !session.isSmall(context.limits) && wantsPart(context)
        return needs
    }

    /// Whether parts may be offered before the gateway has answered RESUME QUERY or SESSION OPEN.
    func mayOfferEarly(_ context: AgentContext) -> Bool {
        phase == .resuming
            || phase == .opening && !lifecycle.isDropping && session.mayOfferBehindOpen(context.limits)
    }

    /// Whether another part would be read if there were room for it.
    private func wantsPart(_ context: AgentContext) -> Bool {
        if case .verifying(let verification) = phase {
            return verification.next(concurrency: context.limits.concurrency) != nil
        }
        guard phase == .transferring || mayOfferEarly(context), !parts.awaitsList else { return false }
        return parts.hasNext(in: session.plan)
    }

    // MARK: Further connections

    private func wantsToJoin(_ context: AgentContext) -> Bool {
        phase == .transferring && context.limits.connections > 1 && !session.token.isEmpty && session.isMultipart
            && parts.hasUnsent(in: session.plan)
    }

    /// Joins further connections to a session that has more than one part to send.
    private mutating func joinConnections(_ context: inout AgentContext) {
        guard wantsToJoin(context), joinsAt <= context.now else { return }
        while let connection = context.connections.leastUsed(excluding: lifecycle.links.connections),
            let slot = context.connections[connection]?.takeSlot(for: id)
        {
            let place = Attachment(connection: connection, slot: slot)
            lifecycle.joined(place)
            sendResumeQuery(to: place, joining: true, &context)
        }
    }

    // MARK: Where a part is offered

    /// The slot in which a part is offered; `nil` if no slot may carry the part now.
    func placeForOffer(of number: PartNumber, _ context: AgentContext) -> Attachment? {
        let early = mayOfferEarly(context)
        let candidates = lifecycle.links.all.compactMap { link -> OfferPlacement.Candidate? in
            let sending = parts.sendingCount(in: link.place)
            let mayGoAhead = early && link.isUnanswered && sending < context.limits.offersAheadMax
            guard link.stage == .open || mayGoAhead, let connection = context.connections[link.place.connection],
                connection.isOpen
            else { return nil }
            // The gateway would take queued chunks of an earlier offer for chunks of this one.
            if connection.hasQueued(UploadPart(upload: id, part: number)) { return nil }
            let turns = connection.opened?.turns.sending.count ?? 0
            return OfferPlacement.Candidate(link.place, sendingCount: sending, turnCount: turns)
        }
        return placement(context).choose(among: candidates)
    }

    private func placement(_ context: AgentContext) -> OfferPlacement {
        guard context.limits.connections > 1, session.isMultipart else { return OfferPlacement() }
        let links = lifecycle.links
        var coming = links.count(.resuming) + context.connections.values.count(where: \.isComing)
        // The session joins these connections as soon as the query has been answered.
        if phase == .resuming { coming += context.connections.countWithFreeSlot(excluding: links.connections) }
        return OfferPlacement(
            concurrency: context.limits.concurrency, coming: coming,
            present: links.all.count { $0.stage != .resuming })
    }

    // MARK: What is under way

    /// Whether an answer or a part is awaited on a connection.
    func isWorking(on connection: ConnectionID) -> Bool {
        lifecycle.links.awaitsAnswer(on: connection) || parts.isUnderWay(on: connection)
    }

    /// Whether a connected gateway owes an answer. A gateway may look for an object for minutes.
    func awaitsAnswer(_ context: AgentContext) -> Bool {
        phase.awaitsAnswer
            && lifecycle.links.connections.contains { context.connections[$0]?.isOpen == true }
    }

    /// Whether the shell is reading the file for the upload. Only the shell sees the progress of reading.
    var isReading: Bool {
        phase.isReading ?? parts.isReading
    }
}

// MARK: - The store

extension AgentUpload {
    /// Ends the upload's wait for the store, or that of some of its parts.
    ///
    /// - Returns: how many waits were ended.
    mutating func stopWaitingForStore(most: Int, now: Instant) -> Int {
        if case .waiting(_, let until) = phase, until == waitsForStoreUntil, until > now {
            lifecycle.stopWaiting(now: now)
            return 1
        }
        return parts.stopWaitingForStore(most: most, now: now)
    }
}

// MARK: - Stopping

extension AgentUpload {
    /// The agent is stopping: it gives up all parts except those in `chosen` and those that have been sent completely.
    mutating func withholdParts(except chosen: Set<PartNumber>, _ context: inout AgentContext) {
        for number in parts.numbers {
            guard let part = parts[number], !part.isSent, !(part.isSending && chosen.contains(number)) else { continue }
            removePart(number, &context)
        }
    }

    /// Whether a stopping agent waits for this upload: it awaits an answer that saves work for the next run, or a part
    /// is being sent.
    var isWorthFinishing: Bool {
        // Nothing of a stream can be resumed, so it is worth finishing only once its end has been read.
        if request.isStream, session.fileBytes == nil { return false }
        return phase.isWorthFinishing(
            isMultipart: session.isMultipart, isSending: parts.isSending, isDropping: lifecycle.isDropping)
    }
}
