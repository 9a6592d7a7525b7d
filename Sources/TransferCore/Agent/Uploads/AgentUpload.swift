import TransferCommon
import WireProtocol

/// One file's way into the store, as the agent sees it: through sessions, connections and cuts to an outcome.
///
/// `UploadLifecycle` has the phases and their table, `UploadSession` has what was agreed with gateways, and
/// `UploadParts` has the parts. `FileVerification` and `ObjectComparison` decide one question each. All these types
/// only return results. `AgentUpload` applies the results: it alone sends frames and writes the journal.
///
/// Invariants:
/// - Only parts that STORED or *have* named count as stored. Each is in the journal with its digest and ETag.
/// - All reasons to end lead to `finish`.
struct AgentUpload: Hashable {
    typealias Stage = SessionLinks.Stage

    /// The position of the upload in the order of submission, counted from 1.
    let submissionOrder: UInt64
    var lifecycle = UploadLifecycle()
    var session: UploadSession
    var parts = UploadParts()
    /// Where the object lies, according to the gateway that reported it.
    var site: DeviceSite?
    /// The last journal entry of a part or of an adopted session that is not durable yet.
    var unsavedEntry: JournalSequence?

    /// The reason for the last wait, reported if the agent gives up.
    var trouble: UploadFailure?
    /// Requests that failed since the last progress.
    var failures = 0
    /// The end of a wait whose reason is the store.
    var waitsForStoreUntil: Instant?
    /// Further connections join the session from this moment on.
    var joinsAt = Instant(nanoseconds: 0)

    /// Plain bytes that this run put on the wire.
    var bytesSent: UInt64 = 0
    /// Bytes that this run found stored.
    var bytesResumed: UInt64 = 0

    init(request: UploadRequest, submissionOrder: UInt64) {
        self.session = UploadSession(request)
        self.submissionOrder = submissionOrder
    }

    // MARK: Read-outs

    var request: UploadRequest { session.request }

    var id: UploadID { request.id }

    var phase: UploadPhase { lifecycle.phase }

    var progress: UploadProgress {
        let size = session.fileBytes
        var progress = UploadProgress(
            size: size ?? parts.streamBytes, storedBytes: storedBytes, bytesSent: bytesSent, bytesResumed: bytesResumed)
        progress.isGrowing = size == nil
        progress.isResumable = session.isRecorded && !request.isStream
        return progress
    }

    private var storedBytes: UInt64 {
        if case .ending(_, .stored(let receipt, _)) = phase { return receipt.size }
        return parts.stored.bytes
    }
}

// MARK: - Beginning

extension AgentUpload {
    /// The agent calls this once, unless the upload ends at once.
    mutating func begin(_ context: inout AgentContext) {
        let isQueried = request.saved?.token.isEmpty == false
        switch session.begin(now: context.now) {
        case .open:
            lifecycle.wait(to: .open, until: context.now)
        case .end(let outcome, let stored):
            parts.restore(stored, isQueried: isQueried)
            end(outcome, &context)
        case .drop:
            drop(&context)
        case .otherVersion(let stored):
            parts.restore(stored, isQueried: isQueried)
            versionChanged(&context)
        case .leave(let isOtherVersion):
            leaveSavedSession(isOtherVersion: isOtherVersion, &context)
        case .resume(let stored):
            parts.restore(stored, isQueried: isQueried)
            acceptStored()
            lifecycle.wait(to: requestToRepeat, until: context.now)
        case .verify(let stored, let stamp):
            parts.restore(stored, isQueried: isQueried)
            verify(stamp: stamp, for: .resume, &context)
        }
    }

    /// Counts the parts that the journal names as resumed.
    mutating func acceptStored() {
        bytesResumed = parts.stored.bytes
    }

    /// The file on disk is another version than the one that was begun. The parts of the old version are dropped first;
    /// then a session for the new version begins.
    mutating func versionChanged(_ context: inout AgentContext) {
        guard request.purpose == .push else {
            return end(
                .failed(UploadFailure(.wrongFile, "the file is not the one this upload was begun with")), &context)
        }
        forgetParts(&context)
        parts.forgetStored()
        bytesResumed = 0
        session.takeSubmittedStamp()
        leaveSavedSession(isOtherVersion: true, &context)
    }

    /// Begins anew instead of continuing a saved session. If the session has an upload in the store, the upload is
    /// aborted first.
    ///
    /// - Parameter isOtherVersion: the file may be another version than the one that the session uploaded. That version
    ///   may still appear under the key, so the new session waits for the put limit.
    mutating func leaveSavedSession(isOtherVersion: Bool, _ context: inout AgentContext) {
        if session.isToBeAborted { return lifecycle.wait(to: .abort, until: context.now) }
        if session.isOnePart, isOtherVersion { session.otherVersionMayAppear() }
        startOver(&context)
    }

    /// Begins a new session for the file as it is now.
    mutating func startOver(_ context: inout AgentContext) {
        forgetParts(&context)
        parts.startOver()
        session.startOver()
        bytesResumed = 0
        lifecycle.wait(to: .open, until: context.now)
    }
}

// MARK: - Asking

extension AgentUpload {
    /// Sends the request that is due. The agent calls this when a connection may be free for the upload.
    ///
    /// - Returns: whether a request was sent or a session was chosen.
    mutating func runPendingRequest(_ context: inout AgentContext) -> Bool {
        guard let request = lifecycle.due(at: context.now) else { return false }
        if request == .open, session.needsChoice { return chooseSession(&context) }
        guard let connection = context.connections.leastUsed(),
            let slot = context.connections[connection]?.takeSlot(for: id)
        else { return false }
        let place = Attachment(connection: connection, slot: slot)
        lifecycle.asked(request, in: place)
        switch request {
        case .open:
            session.told()
            if let open = session.openFrame { context.send(.sessionOpen(open), to: place) }
        case .resume: sendResumeQuery(to: place, &context)
        case .abort: context.send(.abort(Abort(token: session.token)), to: place)
        }
        return true
    }

    /// Chooses part size and session id as soon as a gateway has named its limits in WELCOME. The session is opened
    /// when the journal has it.
    private mutating func chooseSession(_ context: inout AgentContext) -> Bool {
        guard let connection = context.connections.leastUsed(),
            let welcome = context.connections[connection]?.welcome,
            let onChoose = session.choose(by: welcome, now: context.now)
        else { return false }
        switch onChoose {
        case .wait(let end, let rest):
            lifecycle.wait(to: .open, until: end)
            if rest > .zero { context.actions.append(.report(id, .waitingForEarlierVersion(rest))) }
        case .fail(let failure):
            end(.failed(failure), &context)
        case .record(let stamp, let partBytes):
            let row = session.record(context.clock.newSession(), stamp, partBytes: partBytes)
            lifecycle.record(context.journal(.began(id, row), awaitedBy: id), then: .open)
        }
        return true
    }

    func sendResumeQuery(to place: Attachment, joining: Bool = false, _ context: inout AgentContext) {
        let entries = joining ? [] : parts.stored.list
        let query = session.resumeQuery(listing: entries, asksForPartials: !joining && !parts.knowsPartials)
        context.send(.resumeQuery(query), to: place)
        guard !entries.isEmpty else { return }
        for page in PartList.pages(of: entries) { context.send(.partList(page), to: place) }
    }
}
