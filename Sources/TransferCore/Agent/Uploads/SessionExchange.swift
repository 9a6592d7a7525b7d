package import TransferCommon
package import WireProtocol

/// The exchange with gateways about the session of one upload: which request is sent, and what each answer leads to.
///
/// `UploadLifecycle` has the phases and their table, `UploadSession` has what was agreed, and `UploadWaits` has the
/// moments of further attempts. This type asks them and returns effects. It performs nothing itself.
package struct SessionExchange: Hashable, Sendable {
    package typealias Stage = SessionLinks.Stage

    var session: UploadSession
    var lifecycle = UploadLifecycle()
    var waits = UploadWaits()
    /// The device's store and key prefix, according to the gateway that reported the object.
    var site: DeviceSite?
    /// The last journal entry of a part or an adopted session that is not durable yet; COMPLETE waits for it.
    var unsavedEntry: JournalSequence?
    private let lossesMax: Int

    /// - Parameter lossesMax: `AgentLimits.lossesMax`.
    package init(_ request: UploadRequest, lossesMax: Int) {
        self.session = UploadSession(request)
        self.lossesMax = lossesMax
    }

    var id: UploadID { session.request.id }

    /// The phase that the upload is in.
    package var phase: UploadPhase { lifecycle.phase }
}

// MARK: - Beginning

extension SessionExchange {
    /// Begins the upload. An upload that ends as soon as it is submitted never begins.
    package mutating func begin(now: Instant) -> [UploadEffect] {
        switch session.begin(now: now) {
        case .open: [.ask(.open)]
        case .end(let outcome, let stored): [restored(stored), .end(outcome)]
        case .drop: lifecycle.drop(then: .end, session)
        case .otherVersion(let stored): [restored(stored), .takeNewVersion]
        case .leave(let isOtherVersion): leaveSavedSession(isOtherVersion: isOtherVersion)
        case .resume(let stored): [restored(stored), .parts(.accepted), .ask(session.requestToRepeat)]
        case .verify(let stored, let stamp): [restored(stored), .verify(stamp, for: .resume)]
        }
    }

    private func restored(_ entries: [PartListEntry]) -> UploadEffect {
        .parts(.restored(entries, isQueried: session.request.saved?.token.isEmpty == false))
    }

    /// Drops the parts of the version that was begun, and begins a session for the version on disk.
    mutating func takeNewVersion() -> [UploadEffect] {
        guard session.request.purpose == .push else {
            return [.end(.failed(UploadFailure(.wrongFile, "the file is not the one this upload was begun with")))]
        }
        session.takeSubmittedStamp()
        return [.forgetParts, .parts(.notStored)] + leaveSavedSession(isOtherVersion: true)
    }

    /// Begins anew instead of continuing a saved session. If the file may be another version, that of the session may
    /// still appear under the key, so the new session waits for the put limit.
    private mutating func leaveSavedSession(isOtherVersion: Bool) -> [UploadEffect] {
        if isOtherVersion { session.leaveForOtherVersion() }
        return session.isToBeAborted ? [.ask(.abort)] : startOver()
    }

    /// Begins a new session for the file as it is now.
    mutating func startOver() -> [UploadEffect] {
        session.startOver()
        return [.forgetParts, .parts(.startedOver), .ask(.open)]
    }

    /// Replaces a session of which nothing is stored by one with smaller parts, if the gateway allows them.
    mutating func beginSmaller(by welcome: Welcome) -> [UploadEffect] {
        guard phase == .transferring, session.couldHaveSmallerParts(by: welcome.rule) else { return [] }
        // The write removes the token, so that the next run does not resume a session that this run has aborted.
        return [.leave, .forgetParts, .journal(.lost(id, losses: session.losses))]
            + leaveSavedSession(isOtherVersion: false)
    }

    private mutating func dropped() -> [UploadEffect] {
        lifecycle.after.outcome.map { [.end($0)] } ?? startOver()
    }

    /// The session cannot be used any more, although the file is unchanged (specification §8.5). At the second loss,
    /// the agent reports the loss and opens no further session.
    private mutating func beginAnew(after code: ErrorCode) -> [UploadEffect] {
        session.lost()
        let mayAbort = code == .rootMismatch || code == .listInvalid
        guard session.losses < lossesMax, !session.request.isStream else {
            let failure = UploadFailure(
                lossAfter: code, losses: session.losses, isStream: session.request.isStream)
            return [.leave, .forgetParts]
                + (mayAbort && session.isMultipart
                    ? lifecycle.drop(then: .fail(failure), session) : [.end(.failed(failure))])
        }
        // If the gateway found a fault in the session, the session still exists and is dropped first.
        return [.leave, .forgetParts, report(.lost(code)), .journal(.lost(id, losses: session.losses))]
            + (mayAbort ? leaveSavedSession(isOtherVersion: false) : startOver())
    }
}

// MARK: - Asking

extension SessionExchange {
    /// Chooses the part size by a gateway's limits. A file that this gateway's store has unchanged needs no session.
    mutating func choose(by welcome: Welcome, after attempts: FruitlessAttempts, now: Instant) -> [UploadEffect]? {
        if !session.isRecorded, let proof = session.request.proofIfUnchanged(at: welcome.site) {
            site = welcome.site
            return [.progress, .unchanged(proof)]
        }
        return switch session.choose(by: welcome, after: attempts, now: now) {
        case nil: nil
        case .wait(let end, let rest):
            rest > .zero
                ? [.wait(.open, until: end), report(.waitingForEarlierVersion(rest))] : [.wait(.open, until: end)]
        case .fail(let failure): [.end(.failed(failure))]
        case .record(let stamp, let partBytes): [.record(stamp, partBytes: partBytes)]
        }
    }

    /// Sends the request that is due, in a slot taken for it. `stored`: the parts that RESUME QUERY lists.
    /// `knowsPartials`: whether the agent knows every part of which a gateway may hold bytes.
    package mutating func ask(
        _ request: PendingRequest, in place: Attachment, _ stored: AgentStoredParts, knowsPartials: Bool
    ) -> [UploadEffect] {
        lifecycle.asked(request, in: place)
        switch request {
        case .open:
            session.told()
            return session.openFrame.map { [send(.sessionOpen($0), to: place)] } ?? []
        case .resume:
            let entries = stored.list
            let query = session.resumeQuery(listing: entries, asksForPartials: !knowsPartials)
            return [send(.resumeQuery(query), to: place)] + (entries.isEmpty ? [] : list(entries, in: place))
        case .abort:
            return [send(.abort(Abort(token: session.token)), to: place)]
        }
    }

    /// Sends RESUME QUERY in a slot that has been taken on a further connection.
    mutating func join(in place: Attachment) -> [UploadEffect] {
        lifecycle.joined(place)
        return [send(.resumeQuery(session.resumeQuery(listing: [], asksForPartials: false)), to: place)]
    }

    /// Completes the session: every part is stored, and the file is the version with which the session began.
    package mutating func complete(_ stored: AgentStoredParts, root: SHA256Digest?) -> [UploadEffect] {
        guard let place = lifecycle.links.firstOpen else { return [.ask(lifecycle.requestToRepeat(of: session))] }
        guard let root else {
            return [.end(.failed(UploadFailure(.protocolViolation, "the digests could not be joined")))]
        }
        let entries = stored.list
        lifecycle.completes(in: place)
        return list(entries, in: place) + [send(.complete(session.complete(entries, root: root)), to: place)]
    }

    private func send(_ frame: Frame, to place: Attachment) -> UploadEffect {
        .perform(.send(place.connection, place.slot, frame))
    }

    func report(_ news: AgentReport) -> UploadEffect { .perform(.report(id, news)) }

    private func list(_ entries: [PartListEntry], in place: Attachment) -> [UploadEffect] {
        PartList.pages(of: entries).map { send(.partList($0), to: place) }
    }

    /// Notes that COMPLETE of a one-part file is sent, as soon as the socket has the last byte.
    mutating func completesOnePart(in place: Attachment) {
        lifecycle.completesOnePart(in: place)
        session.completesOnePart()
    }
}

// MARK: - The journal

extension SessionExchange {
    /// Begins the last look at the file's stamp, before COMPLETE, if every part is stored and the journal has every
    /// part. Otherwise a later run could list fewer parts, and a gateway would then conclude that no other gateway is
    /// completing the upload (specification §9.1). Returns whether the look begins.
    mutating func rechecks(isWhole: Bool) -> Bool {
        guard isWhole, phase == .transferring, unsavedEntry == nil else { return false }
        lifecycle.recheck()
        return true
    }

    /// All journal writes up to this one are durable.
    package mutating func committed(through sequence: JournalSequence, now: Instant) -> [UploadEffect] {
        var effects: [UploadEffect] = []
        if let unsavedEntry, unsavedEntry <= sequence {
            self.unsavedEntry = nil
            effects.append(.recheck)
        }
        if let outcome = lifecycle.committed(through: sequence, now: now) { effects.append(.report(outcome)) }
        return effects
    }
}

// MARK: - Answers

extension SessionExchange {
    /// Opens the session by SESSION OPENED, or takes over the session that the gateway has adopted.
    package mutating func received(_ opened: SessionOpened, in place: Attachment) -> [UploadEffect] {
        guard phase == .opening else { return [] }
        if lifecycle.isDropping { return openedToDrop(opened) }
        var effects: [UploadEffect] = session.token.isEmpty ? [.progress] : []
        if let adoption = opened.adoption { return effects + adopt(opened, adoption, in: place) }
        guard opened.session == session.id, opened.partBytes == session.plan?.partBytes else {
            return effects + [.end(.failed(UploadFailure(.protocolViolation, "the gateway opened another session")))]
        }
        isKnown(by: opened.token, &effects)
        lifecycle.opened(in: place)
        effects += [.reportOpened, .offer, .recheck]
        return effects
    }

    /// The answer has brought the token that ABORT needs.
    private mutating func openedToDrop(_ opened: SessionOpened) -> [UploadEffect] {
        guard !opened.isAdopted else { return [.end(.dropped)] }
        session.takeToken(opened.token)
        return [.leave, .ask(.abort)]
    }

    /// The gateway has opened an unfinished session with equal terms, which the journal had lost (specification §8.3).
    /// If the agent ends before the journal has it, the gateway adopts it again in the next run. So only COMPLETE
    /// waits for the journal.
    private mutating func adopt(
        _ opened: SessionOpened, _ adoption: SessionOpened.Adoption, in place: Attachment
    ) -> [UploadEffect] {
        guard let plan = session.plan, let stamp = session.stamp, plan.fileBytes != nil, !plan.isOnePart,
            opened.partBytes == plan.partBytes
        else {
            let message = "the gateway opened another session, which cannot be of this file"
            return [.end(.failed(UploadFailure(.protocolViolation, message)))]
        }
        session.adopt(opened)
        lifecycle.opened(in: place)
        let row = session.row(of: opened.session, stamp, partBytes: opened.partBytes)
        return [
            .parts(.adopted), .journalBeforeComplete(.began(id, row)), .journalBeforeComplete(.mayStillAppear(id)),
            report(.adopted(opened.session)), .reportOpened,
            .parts(.named(adoption.partials, candidateCount: adoption.candidateParts, in: place, of: plan)), .offer,
        ]
    }

    /// A later run opens the session of a one-part file again by its id, so the journal gets no token of such a
    /// session.
    private mutating func isKnown(by token: [UInt8], _ effects: inout [UploadEffect]) {
        if !token.isEmpty {
            session.takeToken(token)
            if !session.isOnePart { effects.append(.journal(.token(id, token))) }
        }
        if let stamp = session.notCompleted() { effects.append(.journal(.restamped(id, stamp))) }
    }

    /// Applies RESUME STATE; `stage` is that of the slot before the frame.
    package mutating func received(
        _ state: ResumeState, in place: Attachment, stage: Stage, _ clock: inout AgentClock
    ) -> [UploadEffect] {
        guard stage == .resuming else { return [] }
        switch state.phase {
        case .ongoing:
            var effects: [UploadEffect] = []
            isKnown(by: state.token, &effects)
            if !state.wanted.isEmpty { effects.append(.sendAgain(state.wanted)) }
            let isFirst = lifecycle.resumed(in: place)
            let candidateCount = isFirst ? state.candidateParts : 0
            effects += [
                .parts(.queryAnswered),
                .parts(.named(state.partials, candidateCount: candidateCount, in: place, of: session.plan)),
            ]
            if isFirst { effects.append(.reportOpened) }
            effects += [.offer, .recheck]
            return effects
        case .completing:
            lifecycle.foundCompleting(in: place)
            return []
        case .lost where phase != .resuming:
            return lostSlot(adviceMilliseconds: 0, &clock)
        case .lost:
            return beginAnew(after: .sessionLost)
        }
    }

    /// Sends the parts that PARTS WANTED names again, or begins anew if the store has lacked parts too often.
    package mutating func received(_ wanted: PartsWanted, in place: Attachment) -> [UploadEffect] {
        guard lifecycle.partsWanted(in: place) else { return [.offer] }
        guard session.wanted() else { return beginAnew(after: .sessionLost) }
        return [.sendAgain(wanted.parts), .recheck]
    }

    /// Ends the upload or begins anew after ABORTED.
    package mutating func receivedAborted() -> [UploadEffect] { phase == .aborting ? dropped() : [] }

    /// Reacts to a refusal, or to the end of the session. `listsParts`: whether RESUME QUERY lists stored parts.
    package mutating func refused(
        _ refusal: GatewayRefusal, stage: Stage, listsParts: Bool, _ clock: inout AgentClock
    ) -> [UploadEffect] {
        switch lifecycle.refused(refusal.code, in: stage) {
        case .dropped: dropped()
        case .slotClosed: lostSlot(adviceMilliseconds: refusal.adviceMilliseconds, &clock)
        case .beginAnew: beginAnew(after: refusal.code)
        case .retry:
            [.askAgain(at: waits.refused(refusal, listsParts: listsParts, &clock)), .reportWait(refusal)]
        case .end: [.end(.failed(refusal.failure))]
        }
    }

    /// While the session has other slots, it continues there (specification §8.2). A query to join lists no parts. So
    /// if this was the last slot, the agent resumes the session with a query that lists the stored parts.
    private mutating func lostSlot(adviceMilliseconds: UInt32, _ clock: inout AgentClock) -> [UploadEffect] {
        waits.lostSlot(adviceMilliseconds: adviceMilliseconds, &clock)
        if lifecycle.links.isEmpty { return [.askAgain(at: waits.joinsAt)] }
        // If the slot that waited for the outcome of COMPLETE is gone, COMPLETE is sent again in another slot.
        return !lifecycle.links.contains(.completing) && lifecycle.transferAgain() ? [.recheck] : []
    }

    /// Called after each frame: if the last slot is closed without an answer, the request is sent again after a while.
    mutating func askAgainIfStranded(_ clock: inout AgentClock) -> [UploadEffect] {
        lifecycle.isStranded ? [.askAgain(at: waits.lostAnswer(&clock))] : []
    }

    /// Removes the slots on a lost connection. Without another slot, the request is sent again.
    package mutating func connectionLost(_ connection: ConnectionID, now: Instant) -> [UploadEffect] {
        switch lifecycle.connectionLost(connection, hasToken: !session.token.isEmpty) {
        case .unaffected: []
        case .askAgain: [.askAgain(at: now)]
        case .dropped: [.end(.dropped)]
        }
    }
}
