import TransferCommon
import WireProtocol

/// One file's way into the store, as the agent sees it: through sessions, connections and cuts to an outcome.
///
/// `UploadLifecycle` has the phases and their table, `UploadParts` the parts. `PutLimit`, `FileVerification` and
/// `ObjectComparison` decide one question each. All of them work on values. This type applies what they return: it alone
/// sends frames and writes the journal.
///
/// Invariants:
/// - Only parts that STORED or *have* named count as stored. Each is in the journal with its digest and ETag.
/// - All reasons to end lead to `finish`.
struct AgentUpload: Hashable {
    typealias PendingRequest = UploadLifecycle.PendingRequest
    typealias Stage = SessionLinks.Stage

    let request: UploadRequest
    /// Its place in the order of submission, counted from 1.
    let submissionOrder: UInt64
    var lifecycle = UploadLifecycle()

    // MARK: The session

    /// The write condition of the session that is open, or will be.
    var condition: WriteCondition
    /// Terms of the session, as the write condition is.
    var metadata: SessionMetadata
    /// The object under the key was compared. The next session replaces it and asks for no further comparison.
    var isSettled = false
    /// The session of the journal's row when this run began. What that session wrote is the agent's own.
    var earlierSession: ObjectComparison.EarlierSession?
    var session: SessionID?
    var token: [UInt8] = []
    var plan: PartPlan?
    var stamp: FileStamp?
    /// How often the file's session was lost.
    var losses = 0
    /// How often the store turned out to lack parts of this session when the session was to be completed.
    var wantedRounds = 0
    /// The file was touched after the session began, and the journal does not know. The session may have been completed
    /// with the content from before.
    var isTouched = false
    /// COMPLETE of a one-part file may have been sent, and its outcome is unknown.
    var mayStillAppear = false
    /// COMPLETE of several parts may have been sent, by this run or an earlier one.
    var mayBeCompleting = false
    /// A gateway may have heard of the session, and have begun something in the store for it.
    private var isSessionTold = false
    /// The journal has a row of the upload.
    private var isRecorded: Bool
    /// The last journal entry of a part or of an adopted session that is not durable yet.
    var unsavedEntry: JournalSequence?
    var putLimit = PutLimit()
    /// Where the object lies, by the gateway that reported it.
    var site: DeviceSite?

    // MARK: Waiting

    /// The reason for the last wait, reported if the agent gives up.
    var trouble: UploadFailure?
    /// Requests that failed since the last progress.
    var failures = 0
    /// The end of a wait whose reason is the store.
    var waitsForStoreUntil: Instant?
    /// Further connections join the session from this moment on.
    var joinsAt = Instant(nanoseconds: 0)

    // MARK: Parts

    var parts = UploadParts()
    /// The number of parts that the store takes of a stream.
    var streamPartsMax: UInt32 = 1
    private static let streamPartBytesMax: UInt64 = 1 << 30

    /// Plain bytes that this run put on the wire.
    var bytesSent: UInt64 = 0
    /// Bytes that this run found stored.
    var bytesResumed: UInt64 = 0

    init(request: UploadRequest, submissionOrder: UInt64) {
        self.request = request
        self.submissionOrder = submissionOrder
        self.condition = request.policy.condition
        self.metadata = request.metadata
        self.stamp = request.stamp
        self.isRecorded = request.saved != nil
    }

    // MARK: Read-outs

    var id: UploadID { request.id }

    var policy: ExistingKeyPolicy { request.policy }

    var phase: UploadLifecycle.Phase { lifecycle.phase }

    var isOnePart: Bool { plan?.isOnePart == true }

    var progress: UploadProgress {
        var progress = UploadProgress(
            size: fileBytes ?? parts.streamBytes, storedBytes: storedBytes, bytesSent: bytesSent,
            bytesResumed: bytesResumed)
        progress.isGrowing = fileBytes == nil
        progress.isResumable = isRecorded && !request.isStream
        return progress
    }

    /// Bytes of the file; `nil` for a stream whose end has not been seen.
    var fileBytes: UInt64? { request.isStream ? plan?.fileBytes : stamp?.size ?? 0 }

    private var storedBytes: UInt64 {
        if case .ending(_, .stored(let receipt, _)) = phase { return receipt.size }
        return parts.stored.bytes
    }
}

// MARK: - Beginning

extension AgentUpload {
    /// The agent calls this once, unless the upload ends at once.
    mutating func begin(_ context: inout AgentContext) {
        if let saved = request.saved { return beginAgain(saved, &context) }
        guard request.purpose != .abort else { return end(.dropped, &context) }
        if let withdrawn = request.withdrawn {
            if withdrawn.stamp == request.stamp {
                mayStillAppear = true
            } else {
                putLimit.otherVersionWasGivenUp(age: withdrawn.age, now: context.now)
            }
        }
        lifecycle.wait(to: .open, until: context.now)
    }

    private mutating func beginAgain(_ saved: SavedSession, _ context: inout AgentContext) {
        session = saved.session
        earlierSession = .init(session: saved.session, inode: saved.stamp.inode)
        isSessionTold = true
        token = saved.token
        losses = saved.losses
        // The journal keeps no token of a one-part file, and does not record whether COMPLETE was sent.
        mayStillAppear = saved.token.isEmpty && saved.plan?.isOnePart == true
        switch saved.verdict(for: request) {
        case .drop:
            drop(&context)
        case .streamIsGone:
            versionChanged(&context)
        case .isDamaged:
            end(.failed(UploadFailure(.superseded, "the journal's row makes no sense")), &context)
        case .isNotAllowed(let difference):
            plan = saved.plan
            guard request.purpose == .push else {
                let message = "the file has changed since it was found to have only grown: push it again"
                return end(.failed(UploadFailure(.wrongFile, message)), &context)
            }
            leaveSavedSession(isOtherVersion: difference != .none, &context)
        case .isAllowed(let difference):
            plan = saved.plan
            restore(saved)
            resume(after: difference, &context)
        }
    }

    private mutating func restore(_ saved: SavedSession) {
        condition = saved.condition
        metadata = saved.metadata
        // The journal does not record whether an earlier run sent COMPLETE.
        mayBeCompleting = true
        parts.restore(
            saved.parts.filter { plan?.bytes(of: $0.part) == $0.size }, isQueried: !saved.token.isEmpty)
    }

    private mutating func resume(after difference: FileStamp.Difference, _ context: inout AgentContext) {
        switch difference {
        case .none:
            acceptStored()
            lifecycle.wait(to: requestToRepeat, until: context.now)
        case .touched where request.purpose == .resume && (isOnePart || parts.stored.isEmpty):
            let message =
                "the file was changed or moved since this upload was begun, and nothing is stored yet that could "
                + "prove its content"
            end(.failed(UploadFailure(.wrongFile, message)), &context)
        case .touched where isOnePart:
            // Nothing shows whether the content is the same, and the old content may be stored or about to be.
            leaveSavedSession(isOtherVersion: true, &context)
        case .touched:
            isTouched = true
            if let stamp = request.stamp { verify(stamp: stamp, for: .resume, &context) }
        case .changed:
            versionChanged(&context)
        }
    }

    /// The parts that the journal names count as found stored.
    mutating func acceptStored() {
        bytesResumed = parts.stored.bytes
    }

    /// The file on disk is another version than the one that was begun. The old version's parts are dropped first; then
    /// a session of the new version begins.
    mutating func versionChanged(_ context: inout AgentContext) {
        guard request.purpose == .push else {
            return end(
                .failed(UploadFailure(.wrongFile, "the file is not the one this upload was begun with")), &context)
        }
        forgetParts(&context)
        parts.forgetStored()
        bytesResumed = 0
        stamp = request.stamp
        leaveSavedSession(isOtherVersion: true, &context)
    }

    /// Begins anew instead of continuing a saved session. If the session has an upload in the store, the upload is
    /// aborted first.
    ///
    /// - Parameter isOtherVersion: the file is not known to be the version that the session is of. That version may
    ///   still appear under the key, so the new one waits for the put limit.
    mutating func leaveSavedSession(isOtherVersion: Bool, _ context: inout AgentContext) {
        let isOnePart = isOnePart
        guard token.isEmpty || isOnePart else { return lifecycle.wait(to: .abort, until: context.now) }
        startOver(&context)
        if isOnePart, isOtherVersion { putLimit.otherVersionMayAppear() }
    }

    /// Begins a new session for the file as it is now.
    mutating func startOver(_ context: inout AgentContext) {
        forgetParts(&context)
        parts.startOver()
        bytesResumed = 0
        isTouched = false
        wantedRounds = 0
        token = []
        session = nil
        plan = nil
        lifecycle.wait(to: .open, until: context.now)
    }
}

// MARK: - Choosing a session

extension AgentUpload {
    /// Sends the request that is due. The agent calls this when a connection may be free for the upload.
    ///
    /// - Returns: whether something was begun.
    mutating func runPendingRequest(_ context: inout AgentContext) -> Bool {
        guard let request = lifecycle.due(at: context.now) else { return false }
        if request == .open, session == nil || mayHaveLeftUpload { return chooseSession(&context) }
        guard let connection = context.connections.leastUsed(),
            let slot = context.connections[connection]?.takeSlot(for: id)
        else { return false }
        let place = Attachment(connection: connection, slot: slot)
        lifecycle.asked(request, in: place)
        switch request {
        case .open:
            isSessionTold = true
            sendOpen(to: place, &context)
        case .resume: sendResumeQuery(to: place, &context)
        case .abort: context.send(.abort(Abort(token: token)), to: place)
        }
        return true
    }

    /// Whether the session's id may have made an upload in the store. Such an id is opened only once: two gateways with
    /// the same id would make two uploads, and the session's record names only one. What was made is adopted by the next
    /// id, or found by cleaning.
    private var mayHaveLeftUpload: Bool { isSessionTold && token.isEmpty && plan?.isOnePart == false }

    /// Chooses part size and session id, as soon as a gateway has said what it takes.
    private mutating func chooseSession(_ context: inout AgentContext) -> Bool {
        guard let stamp, let connection = context.connections.leastUsed(),
            let welcome = context.connections[connection]?.welcome
        else { return false }
        let putLimitMax = Duration.milliseconds(Int64(welcome.putLimitMilliseconds))
        if case .wait(let end, let rest) = putLimit.named(putLimitMax, now: context.now) {
            lifecycle.wait(to: .open, until: end)
            if rest > .zero { context.actions.append(.report(id, .waitingForEarlierVersion(rest))) }
            return true
        }
        if putLimit.wasAwaited { mayStillAppear = false }
        let partBytes: UInt64
        do {
            let known = request.isStream ? nil : stamp.size
            partBytes = try welcome.rule.partBytes(fileBytes: known, wish: request.partBytesWish)
        } catch {
            end(.failed(error.failure), &context)
            return true
        }
        guard !request.isStream || partBytes <= Self.streamPartBytesMax else {
            let message = "parts of a stream wait in memory: give a --part-size of at most 1GiB"
            end(.failed(UploadFailure(.partSizeUnsupported, message)), &context)
            return true
        }
        plan = PartPlan(fileBytes: request.isStream ? nil : stamp.size, partBytes: partBytes)
        streamPartsMax = welcome.rule.partsMax
        record(context.newSession(), partBytes: partBytes, stamp, &context)
        return true
    }

    /// The session is opened once the journal has it.
    private mutating func record(
        _ session: SessionID, partBytes: UInt64, _ stamp: FileStamp, _ context: inout AgentContext
    ) {
        self.session = session
        isSessionTold = false
        mayBeCompleting = false
        isRecorded = true
        let row = row(of: session, partBytes: partBytes, stamp)
        lifecycle.record(context.journal(.began(id, row), awaitedBy: id), then: .open)
    }
}
