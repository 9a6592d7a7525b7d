import TransferCommon
import WireProtocol

// One file's way into the store, as the agent sees it: through sessions, connections and cuts, to an outcome.
//
// Invariants
// - A session's id is durable in the journal before the gateway hears of it.
// - Only what STORED (or *have*) named counts as stored; every such part is in the journal with its digest and ETag.
// - COMPLETE is sent only when the file is still the version that was begun.
// - The outcome is durable in the journal before it is reported.
//
//   from           event                                     to
//   beginning      a saved session, the file untouched       waiting(resume)
//   beginning      a saved session, the file touched         verifying (several parts), waiting(open) anew (one part)
//   beginning      one that the user's word does not allow   waiting(abort), or waiting(open) anew
//   beginning      none                                      recording(session) → waiting(open)
//   waiting        a connection is open, the time has come   opening, resuming, aborting
//   opening        SESSION OPENED                            transferring
//   opening        SESSION OPENED, adopted                   transferring; COMPLETE waits for the journal
//   any open slot  SESSION EXISTS                            comparing, or ending(failed)
//   comparing      the same content                          ending(stored)
//   comparing      its own object, and the file only grew    waiting(open) anew, to replace exactly that object
//   comparing      other content                             waiting(open) anew to replace it, or ending(failed)
//   resuming       RESUME STATE ongoing                      transferring
//   transferring   every part stored                         rechecking
//   rechecking     the file unchanged                        completing
//   rechecking     only its change time moved                verifying → completing
//   completing     PARTS WANTED                              transferring
//   completing     COMPLETED                                 ending(stored)
//   any            its last connection lost                  waiting
//   any            the session of no more use                waiting(open) anew, or ending(failed)
//   any            the same, and the session exists          waiting(abort)
//   ending         the outcome is durable                    ended
struct AgentUpload: Hashable {
    /// What to ask a gateway for as soon as a connection is open and the wait is over.
    enum PendingRequest: Hashable {
        case open
        case resume
        case abort
    }

    enum Phase: Hashable {
        case waiting(PendingRequest, until: Instant)
        /// A journal row is on its way to the disk.
        case recording(JournalSequence, then: PendingRequest)
        case opening
        case resuming
        case comparing(Comparison)
        case verifying(FileVerification)
        case transferring
        case rechecking
        case completing
        case aborting
        case ending(JournalSequence, UploadOutcome)
        case ended
    }

    enum Stage: Hashable {
        case opening
        case resuming
        case open
        case completing
        case aborting
    }

    struct Link: Hashable {
        var attachment: Attachment
        var stage: Stage
    }

    let request: UploadRequest
    /// Where it stands in the order of submission, counted from 1.
    let submissionOrder: UInt64
    var phase: Phase
    let policy: ExistingKeyPolicy
    /// The write condition of the session that is open, or will be.
    var condition: WriteCondition
    /// Terms of the session like its condition.
    var metadata: SessionMetadata
    /// The object under the key was compared: the next session replaces it, and asks for no comparison again.
    var isSettled = false
    /// The session of the journal's row when this run began: what it wrote is the agent's own.
    var earlierSession: EarlierSession?
    var session: SessionID?
    var token: [UInt8] = []
    var plan: PartPlan?
    var stamp: FileStamp?
    var losses = 0
    /// The user dropped it: nothing but aborting is left to do.
    var isDropping = false
    /// Why the source can never be whole: this is the outcome when everything begun has been dropped.
    var abandonment: UploadFailure?
    /// What the last trouble was, for the day the agent gives up.
    var trouble: UploadFailure?
    var links: [Link] = []
    /// Requests that failed since the last progress.
    var failures = 0
    /// The end of a wait whose reason is the store.
    var waitsForStoreUntil: Instant?
    /// Further connections are joined from then on.
    var joinsAt = Instant(nanoseconds: 0)
    /// How often the store turned out to lack parts of this session when it was to be completed.
    var wantedRounds = 0
    /// The file has been touched since the session began, and the journal does not know: the session may have been
    /// completed with the content of before.
    var isTouched = false
    /// COMPLETE of a one-part file may have been sent, and its outcome is not known.
    var mayStillAppear = false
    /// COMPLETE of several parts may have been sent, by this run or an earlier one.
    var mayBeCompleting = false
    /// The last entry in the journal, of a part or of an adopted session, that is not durable yet.
    var unsavedEntry: JournalSequence?
    var putLimit = PutLimit()
    /// Where the object lies, by the gateway that told of it.
    var site: DeviceSite?
    /// A gateway may have heard of the session, and have begun something in the store that nobody can name.
    private var isSessionTold = false
    /// The journal has a row of the upload.
    private var isRecorded: Bool

    var stored = StoredParts()
    /// Parts under way.
    var parts: [PartNumber: OutgoingPart] = [:]
    var window = SendWindow()
    /// What gateways have said of parts without an offer.
    var named = NamedParts()
    var queue = PartQueue()
    /// Parts that the store lists without a digest: their offer carries an MD5.
    var needsMD5: Set<PartNumber> = []

    private static let streamPartBytesMax: UInt64 = 1 << 30
    /// Read of a stream so far, and the most parts that the store takes of it.
    var streamBytes: UInt64 = 0
    var streamPartsMax: UInt32 = 1

    /// Plain bytes put on the wire in this run, and those found stored.
    var bytesSent: UInt64 = 0
    var bytesResumed: UInt64 = 0

    init(request: UploadRequest, submissionOrder: UInt64) {
        self.request = request
        self.submissionOrder = submissionOrder
        self.policy = request.policy
        self.condition = request.policy.condition
        self.metadata = request.metadata
        self.stamp = request.stamp
        self.isRecorded = request.saved != nil
        self.phase = .ended
    }

    var id: UploadID { request.id }

    var progress: UploadProgress {
        var progress = UploadProgress(
            size: fileBytes ?? streamBytes, storedBytes: storedBytes, bytesSent: bytesSent, bytesResumed: bytesResumed)
        progress.isGrowing = fileBytes == nil
        progress.isResumable = isRecorded && !request.isStream
        return progress
    }

    /// Bytes of the file; `nil` for a stream whose end has not been seen.
    var fileBytes: UInt64? { request.isStream ? plan?.fileBytes : stamp?.size ?? 0 }

    var storedBytes: UInt64 {
        if case .ending(_, .stored(let receipt, _)) = phase { return receipt.size }
        return stored.bytes
    }

    // MARK: Beginning

    /// Called by the agent once.
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
        phase = .waiting(.open, until: context.now)
    }

    private mutating func beginAgain(_ saved: SavedSession, _ context: inout AgentContext) {
        session = saved.session
        earlierSession = EarlierSession(session: saved.session, inode: saved.stamp.inode)
        isSessionTold = true
        token = saved.token
        losses = saved.losses
        // The journal keeps no token of one part. Whether COMPLETE was sent is not written down.
        let savedPlan = PartPlan(fileBytes: saved.stamp.size, partBytes: saved.partBytes)
        mayStillAppear = saved.token.isEmpty && savedPlan?.isOnePart == true
        guard request.purpose != .abort, let stamp = request.stamp else {
            return drop(&context)
        }
        // What another run read of a stream is gone.
        if request.isStream { return versionChanged(&context) }
        guard let plan = savedPlan else {
            return end(.failed(UploadFailure(.superseded, "the journal's row makes no sense")), &context)
        }
        self.plan = plan
        let difference = saved.stamp.difference(betweenRuns: stamp)
        guard allows(saved, difference) else { return abandonSaved(difference, &context) }
        condition = saved.condition
        metadata = saved.metadata
        for entry in saved.parts where plan.bytes(of: entry.part) == entry.size { stored.keep(entry) }
        // Whether an earlier run sent it is not written down.
        mayBeCompleting = true
        named = NamedParts(ofEarlierRun: !saved.token.isEmpty)
        switch difference {
        case .none:
            acceptStored()
            phase = .waiting(requestToRepeat, until: context.now)
        case .touched where request.purpose == .resume && (plan.isOnePart || stored.isEmpty):
            // No part is stored whose digest could prove the content.
            let message =
                "the file was changed or moved since this upload was begun, and nothing is stored yet that could "
                + "prove its content"
            end(.failed(UploadFailure(.wrongFile, message)), &context)
        case .touched where plan.isOnePart:
            // Nothing tells whether it is the same content, and the old one may be there or on its way.
            leaveSavedSession(isOtherVersion: true, &context)
        case .touched:
            isTouched = true
            verify(stamp: stamp, for: .resume, &context)
        case .changed:
            versionChanged(&context)
        }
    }

    /// The file on disk is another version than the one that was begun.
    mutating func versionChanged(_ context: inout AgentContext) {
        guard request.purpose == .push else {
            return end(
                .failed(UploadFailure(.wrongFile, "the file is not the one this upload was begun with")), &context)
        }
        // The old version's parts are dropped first; then the new one begins.
        forgetParts(&context)
        stored.removeAll()
        bytesResumed = 0
        stamp = request.stamp
        leaveSavedSession(isOtherVersion: true, &context)
    }

    /// What the journal says is stored counts as found.
    mutating func acceptStored() {
        bytesResumed = stored.bytes
    }

    /// Drops the upload: what was begun at the gateway, then the row.
    mutating func drop(_ context: inout AgentContext) {
        forgetParts(&context)
        isDropping = true
        context.journal(.dropping(id))
        if phase == .opening, plan?.isOnePart == false {
            return  // The answer brings the token that ABORT needs.
        }
        if token.isEmpty {
            end(.dropped, &context)
        } else {
            leaveLinks(&context)
            phase = .waiting(.abort, until: context.now)
        }
    }

    /// The source can never be whole. What was begun is dropped, and that is why.
    mutating func abandon(_ failure: UploadFailure, _ context: inout AgentContext) {
        abandonment = failure
        drop(&context)
    }

    /// A new session for the file as it is now; its id is written down before anyone hears of it.
    mutating func startOver(_ context: inout AgentContext) {
        forgetParts(&context)
        stored.removeAll()
        bytesResumed = 0
        isTouched = false
        wantedRounds = 0
        queue = PartQueue()
        needsMD5 = []
        named = NamedParts()
        token = []
        session = nil
        plan = nil
        phase = .waiting(.open, until: context.now)
    }

    // MARK: Pending requests

    /// Sends the pending request. Called by the agent when a connection may be free for this upload.
    ///
    /// - Returns: whether something was begun.
    mutating func runPendingRequest(_ context: inout AgentContext) -> Bool {
        guard case .waiting(let pending, let until) = phase, until <= context.now else { return false }
        if pending == .open, session == nil || mayHaveLeftUpload { return chooseSession(&context) }
        guard let connection = context.leastUsedConnection(),
            let slot = context.connections[connection]?.takeSlot(for: id)
        else { return false }
        let attachment = Attachment(connection: connection, slot: slot)
        switch pending {
        case .open:
            links.append(Link(attachment: attachment, stage: .opening))
            phase = .opening
            isSessionTold = true
            sendOpen(to: attachment, &context)
        case .resume:
            links.append(Link(attachment: attachment, stage: .resuming))
            phase = .resuming
            sendResumeQuery(to: attachment, &context)
        case .abort:
            links.append(Link(attachment: attachment, stage: .aborting))
            phase = .aborting
            context.send(.abort(Abort(token: token)), to: attachment)
        }
        return true
    }

    /// An id is opened once where that makes an upload: two gateways with the same one would make two uploads, and the
    /// session's record names but one. What was made is adopted by the next id, or found by cleaning.
    private var mayHaveLeftUpload: Bool { isSessionTold && token.isEmpty && plan?.isOnePart == false }

    /// Part size and session id, as soon as a gateway has said what it takes.
    private mutating func chooseSession(_ context: inout AgentContext) -> Bool {
        guard let stamp, let connection = context.leastUsedConnection(),
            let welcome = context.connections[connection]?.welcome
        else { return false }
        let putLimitMax = Duration.milliseconds(Int64(welcome.putLimitMilliseconds))
        if case .wait(let end, let rest) = putLimit.named(putLimitMax, now: context.now) {
            phase = .waiting(.open, until: end)
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
        beginSession(context.newSession(), partBytes: partBytes, &context)
        return true
    }

    private mutating func beginSession(
        _ session: SessionID, partBytes: UInt64, _ context: inout AgentContext
    ) {
        guard let stamp else { return }
        self.session = session
        isSessionTold = false
        mayBeCompleting = false
        isRecorded = true
        let row = row(of: session, partBytes: partBytes, stamp)
        phase = .recording(context.journal(.began(id, row), awaitedBy: id), then: .open)
    }
}
