package import TransferCommon
package import WireProtocol

/// One upload from its submission to its outcome: the phase that it is in, the slots that carry its session, and what
/// follows when it is dropped.
///
/// Invariants:
/// - A session is durable in the journal before a gateway hears of it.
/// - COMPLETE is sent only when the file is still the version with which the session began.
/// - The outcome is durable in the journal before it is reported.
package struct UploadLifecycle: Hashable, Sendable {
    /// What the upload does after it has dropped everything that was begun at a gateway.
    package enum After: Hashable, Sendable {
        /// The upload begins a session for the file as it is now.
        case beginAnew
        /// The user dropped the upload.
        case end
        /// The source cannot be read to its end, so the upload fails.
        case fail(UploadFailure)

        /// The outcome of the upload; `nil` if the upload continues.
        package var outcome: UploadOutcome? {
            switch self {
            case .beginAnew: nil
            case .end: .dropped
            case .fail(let failure): .failed(failure)
            }
        }
    }

    /// The phase that the upload is in.
    package private(set) var phase = UploadPhase.beginning
    /// What follows when the session has been dropped.
    package private(set) var after = After.beginAnew
    /// The slots that carry the session.
    private(set) var links = SessionLinks()

    package init() {}

    /// Whether the upload only drops its session, and sends no more data.
    package var isDropping: Bool { after != .beginAnew }

    /// The state of the slot, by which frames are judged (specification §6.1). A COMPLETE that was sent before SESSION
    /// OPENED arrived changes the state only when SESSION OPENED arrives.
    func slotState(at place: Attachment) -> AgentSlotState {
        switch links.stage(at: place) {
        case .opening: .opening
        case .resuming: .resuming
        case .open: .open
        case .completing: phase == .opening ? .opening : .completing
        case .aborting: .aborting
        case nil: .closed
        }
    }

    // MARK: Waiting and asking

    mutating func wait(to request: PendingRequest, until moment: Instant) {
        phase = .waiting(request, until: moment)
    }

    /// The request that is due.
    package func due(at now: Instant) -> PendingRequest? {
        if case .waiting(let request, let until) = phase, until <= now { request } else { nil }
    }

    /// The request that the upload repeats after the last connection of its session was lost.
    func requestToRepeat(of session: UploadSession) -> PendingRequest {
        phase == .aborting ? .abort : session.requestToRepeat
    }

    /// Ends a wait early.
    package mutating func stopWaiting(now: Instant) {
        if case .waiting(let request, _) = phase { phase = .waiting(request, until: now) }
    }

    mutating func record(_ sequence: JournalSequence, then request: PendingRequest) {
        phase = .recording(sequence, then: request)
    }

    /// Notes that the request is sent in a slot.
    mutating func asked(_ request: PendingRequest, in place: Attachment) {
        switch request {
        case .open:
            links.add(place, .opening)
            phase = .opening
        case .resume:
            links.add(place, .resuming)
            phase = .resuming
        case .abort:
            links.add(place, .aborting)
            phase = .aborting
        }
    }

    /// Notes that RESUME QUERY is sent in one more slot of a session that is being transferred.
    mutating func joined(_ place: Attachment) { links.add(place, .resuming) }

    // MARK: Transferring

    /// Begins to transfer parts in the slot after SESSION OPENED, or awaits the outcome of a COMPLETE sent before.
    mutating func opened(in place: Attachment) {
        if links.stage(at: place) == .completing {
            phase = .completing
        } else {
            links.set(.open, at: place)
            phase = .transferring
        }
    }

    /// Opens the slot after RESUME STATE ongoing; returns whether the upload was resuming its session.
    mutating func resumed(in place: Attachment) -> Bool {
        links.set(.open, at: place)
        guard phase == .resuming else { return false }
        phase = .transferring
        return true
    }

    /// Waits for the outcome of a completion that RESUME STATE has announced.
    mutating func foundCompleting(in place: Attachment) {
        links.set(.completing, at: place)
        phase = .completing
    }

    /// Opens only this slot after PARTS WANTED: gateways in other slots may still be completing the session. Returns
    /// whether the upload was completing, and transfers parts again.
    mutating func partsWanted(in place: Attachment) -> Bool {
        links.set(.open, at: place)
        return transferAgain()
    }

    /// Ends the phase *completing*, because no slot awaits an outcome; returns whether the upload was in it.
    mutating func transferAgain() -> Bool {
        guard phase == .completing else { return false }
        phase = .transferring
        return true
    }

    mutating func compare(_ comparison: ObjectComparison) { phase = .comparing(comparison) }

    /// Notes that COMPLETE of several parts is sent in a slot.
    mutating func completes(in place: Attachment) {
        links.set(.completing, at: place)
        phase = .completing
    }

    /// Notes that COMPLETE of a one-part file is sent; before SESSION OPENED the phase stays `opening`.
    mutating func completesOnePart(in place: Attachment) {
        links.set(.completing, at: place)
        if phase == .transferring { phase = .completing }
    }

    /// Voids COMPLETE of a one-part file, because its part was deferred or has failed: the session is open as before.
    mutating func reopen() {
        links.reopen(as: phase == .opening ? .opening : .open)
        _ = transferAgain()
    }

    // MARK: The file

    /// Begins to read the file's stamp once more, because every part is stored.
    mutating func recheck() { phase = .rechecking }

    /// Completes, verifies or ends the upload by the stamp that the shell has read again.
    mutating func fileChecked(_ result: Result<FileStamp, UploadFailure>, of session: UploadSession) -> [UploadEffect] {
        guard phase == .rechecking else { return [] }
        switch result {
        case .success(let later):
            return switch session.difference(whileReading: later) {
            case .none: [.complete]
            case .touched: [.verify(later, for: .complete)]
            case .changed: [.end(.failed(.changedWhileSent))]
            }
        case .failure(let failure):
            return [.end(.failed(failure))]
        }
    }

    /// Begins to verify a touched file: only the digests of its stored parts show whether the content is the same.
    mutating func verify(
        _ parts: [PartNumber], stamp: FileStamp, for purpose: FileVerification.Purpose, of session: inout UploadSession
    ) -> [UploadEffect] {
        guard !parts.isEmpty else {
            session.restamped(stamp)
            return [.ask(requestToRepeat(of: session))]
        }
        phase = .verifying(FileVerification(of: parts, stamp: stamp, for: purpose))
        return []
    }

    /// The stored part that the shell reads next for the verification; `nil` if it reads none now.
    mutating func verifyNext(concurrency: Int) -> PartNumber? {
        guard case .verifying(var verification) = phase,
            let number = verification.next(concurrency: concurrency)
        else { return nil }
        verification.began(number)
        phase = .verifying(verification)
        return number
    }

    /// Judges a stored part that the shell has read again, by the digest that it had (`expected`).
    mutating func verified(
        _ number: PartNumber, _ reading: PartReading, expected: SHA256Digest?, of session: inout UploadSession
    ) -> [UploadEffect] {
        guard case .verifying(var verification) = phase,
            let result = verification.read(number, reading, expected: expected)
        else { return [] }
        phase = .verifying(verification)
        switch (result, verification.purpose) {
        case (.reading, _):
            return []
        case (.same, .complete):
            session.restamped(verification.stamp)
            return [.journal(.restamped(session.request.id, verification.stamp)), .complete]
        case (.same, .resume):
            session.restamped(verification.stamp)
            return [.parts(.accepted), .ask(requestToRepeat(of: session))]
        case (.other, .resume):
            return [.takeNewVersion]
        case (.other, .complete):
            return [.end(.failed(.changedWhileSent))]
        case (.failed(let failure), _):
            return [.end(.failed(failure))]
        }
    }

    // MARK: What the phase allows

    /// Whether parts may be offered before the gateway has answered RESUME QUERY or SESSION OPEN.
    func mayOfferEarly(_ session: UploadSession, _ limits: AgentLimits) -> Bool {
        phase == .resuming || phase == .opening && !isDropping && session.mayOfferBehindOpen(limits)
    }

    /// Whether the upload may begin to read further parts.
    func mayTakeUp(_ session: UploadSession, _ limits: AgentLimits) -> Bool {
        phase == .transferring || mayOfferEarly(session, limits)
    }

    /// Whether data may be sent before a decision. Data of a one-part file that an earlier run began waits for the
    /// decision: the gateway may hold the first bytes, and the decision says from which byte the data continues.
    func maySendEarly(_ session: UploadSession) -> Bool {
        phase != .resuming && !(session.isOnePart && session.isOfEarlierRun)
    }

    /// Whether further connections are to join, because parts are left beside those that are being sent.
    func wantsToJoin(_ session: UploadSession, _ parts: UploadParts, _ limits: AgentLimits) -> Bool {
        phase == .transferring && limits.connections > 1 && !session.token.isEmpty && session.isMultipart
            && parts.hasUnsent(in: session.plan)
    }

    // MARK: Slots

    mutating func closed(_ place: Attachment) { links.remove(place) }

    /// Removes all slots: SESSION LEAVE was sent in each, or the agent's connections end.
    mutating func closedAll() { links.removeAll() }

    /// What the loss of a connection leads to.
    enum OnConnectionLost: Hashable, Sendable {
        /// The upload continues in other slots, or needs none now.
        case unaffected
        /// The session is to be opened or resumed on another connection.
        case askAgain
        /// The user dropped the upload before a gateway gave a token to abort it with.
        case dropped
    }

    /// - Parameter hasToken: whether a gateway has given a token.
    mutating func connectionLost(_ connection: ConnectionID, hasToken: Bool) -> OnConnectionLost {
        let wasCompleting = links.contains(.completing, on: connection)
        links.remove(on: connection)
        return switch phase {
        case .transferring where !links.isEmpty, .rechecking where !links.isEmpty, .verifying, .comparing: .unaffected
        case .completing where !wasCompleting && !links.isEmpty: .unaffected
        case .opening where isDropping && !hasToken: .dropped
        case .opening, .resuming, .transferring, .rechecking, .completing, .aborting: .askAgain
        case .beginning, .waiting, .recording, .ending, .ended: .unaffected
        }
    }

    /// Whether the upload waits for an answer, but has no slot any more in which the answer could arrive.
    package var isStranded: Bool {
        guard links.isEmpty else { return false }
        return switch phase {
        case .opening, .resuming, .transferring, .completing, .aborting: true
        default: false
        }
    }

    /// Whether another slot carries the session. The gateway there may be completing the session at this moment.
    var isInAnotherSlot: Bool { links.contains(.open) || links.contains(.completing) }

    /// What the upload does after a gateway has refused or ended its session with an error code.
    package enum OnRefused: Hashable, Sendable {
        /// Nothing is left to be dropped, so the drop is complete.
        case dropped
        /// The session continues in other slots.
        case slotClosed
        case beginAnew
        case retry
        case end
    }

    /// Decides what follows a code of session scope in a slot that was in this stage.
    package func refused(_ code: ErrorCode, in stage: SessionLinks.Stage) -> OnRefused {
        if isDropping, phase == .opening { return .dropped }
        if stage == .resuming, phase != .resuming { return .slotClosed }
        switch FailureRule.reaction(to: code, in: .session) {
        // The gateway does not know the session, so ABORT cannot drop its upload. The store's cleaning removes the
        // upload.
        case .beginAnew where stage == .aborting: return .dropped
        case .beginAnew where code == .sessionLost && isInAnotherSlot: return .slotClosed
        case .beginAnew: return .beginAnew
        case .tryAgain, .reconnect, .readAgain: return .retry
        case .report, .stop: return .end
        }
    }

    // MARK: Ending

    /// Drops the upload, at the user's command, while it is under way.
    mutating func dropNow(_ session: UploadSession) -> [UploadEffect] {
        guard !isDropping, !phase.hasOutcome else { return [] }
        guard phase == .aborting else { return drop(then: .end, session) }
        // The upload is already dropping an older version. When that is done, the upload now ends instead of sending
        // the new one.
        drop(.end)
        return [.journal(.dropping(session.request.id))]
    }

    /// Begins to drop the session, first at the gateway and then in the journal.
    mutating func drop(then after: After, _ session: UploadSession) -> [UploadEffect] {
        drop(after)
        let effects: [UploadEffect] = [.forgetParts, .journal(.dropping(session.request.id))]
        // While SESSION OPEN of several parts is not answered, ABORT has to wait, because the answer brings the token
        // that ABORT names.
        if phase == .opening, session.isMultipart { return effects }
        if session.token.isEmpty { return effects + [.end(after.outcome ?? .dropped)] }
        return effects + [.leave, .ask(.abort)]
    }

    /// Lets the upload only drop its session from now on: at the user's command, or because the source has failed.
    package mutating func drop(_ after: After) { self.after = after }

    /// Ends the upload with an outcome that is being written to the journal.
    mutating func end(_ outcome: UploadOutcome, recordedBy sequence: JournalSequence) {
        phase = .ending(sequence, outcome)
    }

    /// Notes durable journal writes; returns the outcome if it has become durable and is to be reported.
    package mutating func committed(through sequence: JournalSequence, now: Instant) -> UploadOutcome? {
        switch phase {
        case .recording(let awaited, let request) where awaited <= sequence:
            phase = .waiting(request, until: now)
            return nil
        case .ending(let awaited, let outcome) where awaited <= sequence:
            phase = .ended
            return outcome
        default:
            return nil
        }
    }
}
