package import TransferCommon
package import WireProtocol

/// The session of an upload: what the user requested, what was agreed with a gateway, and what may have become of it.
///
///     from       event                                                               to
///     submitted  no session is saved                                                 open
///     submitted  no session is saved, and the user drops the upload                  end
///     submitted  the user wants the saved session dropped                            drop
///     submitted  the file of the saved session is unchanged                          resume
///     submitted  the file was touched, and its stored parts can prove its content    verify
///     submitted  the file was touched and has one part                               leave
///     submitted  the user's options do not allow the terms of the saved session      leave
///     submitted  the file has another size, or the source is a stream                otherVersion
///     submitted  the user wants exactly what was begun, and nothing can prove it     end
///
/// This type decides how an upload begins, which session it opens, and what it states in its frames and in its receipt.
/// It performs nothing itself. A file may need several sessions in a row; `startOver` begins the next one.
package struct UploadSession: Hashable, Sendable {
    private enum Target: Hashable {
        case unseen(WriteCondition)
        /// The object under the key was compared. The session replaces it and asks for no further comparison.
        case compared(WriteCondition)
    }

    /// What the user requested.
    package let request: UploadRequest
    private var standing = SessionStanding.none
    /// `nil` if the upload is only to be dropped.
    private var file: FileVersion?
    private var target: Target
    private var metadata: SessionMetadata
    /// The session that the journal's row named when this run began; its object counts as the agent's own.
    private(set) var earlier: ObjectComparison.EarlierSession?
    /// How the file is divided into parts; `nil` until a gateway has named its limits in WELCOME.
    package private(set) var plan: PartPlan?
    /// How often the file's session was lost.
    package private(set) var losses = 0
    /// How often the store turned out to lack parts of this session when the session was to be completed.
    private var wantedRounds = 0
    /// Whether the journal has a row of the upload.
    package private(set) var isRecorded: Bool
    /// The wait until no earlier version of the file can appear any more.
    package private(set) var putLimit = PutLimit()
    /// The number of parts that the store takes of a stream.
    package private(set) var streamPartsMax: UInt32 = 1

    private static let wantedRoundsMax = 3

    /// - Parameter request: as the shell has submitted it.
    package init(_ request: UploadRequest) {
        self.request = request
        self.target = .unseen(request.policy.condition)
        self.metadata = request.metadata
        self.file = request.stamp.map { .recorded($0) }
        self.isRecorded = request.saved != nil
    }

    // MARK: Read-outs

    /// The session's id; `nil` until a gateway has named its limits in WELCOME.
    package var id: SessionID? { standing.id }

    /// The token with which the session is resumed; empty until a gateway has given one.
    package var token: [UInt8] { standing.token }

    /// The file's stamp; `nil` if the upload is only to be dropped.
    package var stamp: FileStamp? { file?.stamp }

    /// Whether the file was touched after the session began, so that earlier content may have been completed.
    package var isTouched: Bool { file?.isTouched == true }

    /// The write condition of the session that is open, or will be.
    package var condition: WriteCondition {
        switch target {
        case .unseen(let condition), .compared(let condition): condition
        }
    }

    private var isCompared: Bool {
        if case .compared = target { true } else { false }
    }

    /// What the user wants if the key holds an object.
    package var policy: ExistingKeyPolicy { request.policy }

    /// Whether the file is known to be one part.
    package var isOnePart: Bool { plan?.isOnePart == true }

    /// Whether the session has several parts; false while the number of parts is unknown.
    package var isMultipart: Bool { plan?.isOnePart == false }

    /// Bytes of the file; `nil` for a stream whose end has not been seen.
    package var fileBytes: UInt64? { request.isStream ? plan?.fileBytes : stamp?.size ?? 0 }

    /// Whether the version of the file that the session uploads may still appear under the key later.
    var mayStillAppear: Bool { putLimit.ownVersion != .cannotAppear }

    /// Whether the journal has to remember, when it deletes the upload's row, that the version may still appear. A file
    /// may be stored although an earlier session of it, which was lost, is still being completed.
    func mayStillAppear(after outcome: UploadOutcome) -> Bool {
        if case .stored = outcome { return losses > 0 && mayStillAppear }
        return outcome.forgetsUnknownOutcome && mayStillAppear
    }

    /// Whether an earlier run began this session.
    package var isOfEarlierRun: Bool { request.saved?.session == id }

    /// Whether a gateway may have created an upload in the store for the session's id. SESSION OPEN is not sent twice
    /// with such an id: two gateways would create two uploads, and the session's record names only one of them. The
    /// session with the next id adopts the upload, or the store's cleaning removes it.
    private var mayHaveLeftUpload: Bool { standing.isKnown && token.isEmpty && isMultipart }

    /// Whether an id has to be chosen before the session is opened.
    package var needsChoice: Bool { id == nil || mayHaveLeftUpload }

    /// Whether the session has an upload in the store that ABORT can drop. The token of a one-part file names none.
    package var isToBeAborted: Bool { !token.isEmpty && !isOnePart }

    /// The request that continues an upload after a cut: a one-part file cannot be resumed, so it is opened again.
    package var requestToRepeat: PendingRequest { token.isEmpty || isOnePart ? .open : .resume }

    /// How the file differs from the version that the session uploads. If the session replaces the file's beginning by
    /// the grown file, *touched* counts as *changed*: nothing shows that the beginning is still the same.
    package func difference(whileReading later: FileStamp) -> FileStamp.Difference {
        guard let difference = stamp?.difference(whileReading: later) else { return .changed }
        return difference == .touched && policy.isContinuation(condition) ? .changed : difference
    }

    /// Whether the file is one part that does not count against the concurrency (`AgentLimits.smallPartBytes`).
    package func isSmall(_ limits: AgentLimits) -> Bool {
        guard let plan, let fileBytes = plan.fileBytes else { return false }
        return plan.isOnePart && fileBytes <= limits.smallPartBytes
    }

    /// Whether parts may be offered behind SESSION OPEN: not if the key may hold an object to compare first.
    package func mayOfferBehindOpen(_ limits: AgentLimits) -> Bool {
        guard let plan else { return false }
        switch policy {
        case .verify, .fail: return !request.wasStoredBefore && isSmall(limits)
        case .replace: return plan.isOnePart && (isCompared || !request.wasStoredBefore)
        }
    }

    // MARK: Changes

    /// Replaces the stamp of the file, because the content is the same.
    package mutating func restamped(_ stamp: FileStamp) { file?.restamp(stamp) }

    /// Takes the stamp of the request, because a new session begins with the file as it was submitted.
    package mutating func takeSubmittedStamp() {
        if let stamp = request.stamp { file?.restamp(stamp) }
    }

    /// Notes the end of the stream. Returns the stamp to record: with the size, a later run knows if parts are
    /// missing.
    package mutating func streamEnded(after bytes: UInt64) -> FileStamp? {
        plan?.ended(after: bytes)
        guard var stamp else { return nil }
        stamp.size = bytes
        return stamp
    }

    /// Resets the state, because the session is dropped. The next session uploads the file as it is now.
    package mutating func startOver() {
        file?.settle()
        wantedRounds = 0
        standing = .none
        plan = nil
    }

    /// The next session may replace only this object or, if the object's session is unknown, what the policy allows.
    package mutating func replace(_ exists: SessionExists) {
        target = .compared(exists.session.map { .matches($0) } ?? policy.condition)
    }

    /// Notes that the agent leaves this session for a session of another version. If the file has one part, or if
    /// COMPLETE may have been sent, the version of this session may still appear.
    package mutating func leaveForOtherVersion() {
        if isOnePart || mayStillAppear { putLimit.otherVersionMayAppear(isOnePart: isOnePart) }
    }

    /// Notes that SESSION OPEN is sent to a gateway.
    package mutating func told() { standing.opens() }

    /// Keeps the token that a gateway has given.
    package mutating func takeToken(_ token: [UInt8]) { standing.take(token) }

    /// Settles that the session was not completed before the file was touched; returns the stamp to record, if any.
    package mutating func notCompleted() -> FileStamp? {
        guard isTouched else { return nil }
        file?.settle()
        return stamp
    }

    /// Replaces this session by another one that the gateway has opened.
    package mutating func adopt(_ opened: SessionOpened) {
        file?.settle()
        // The earlier run, whose journal is lost, may have sent COMPLETE.
        standing = .completed(opened.session, token: opened.token)
        putLimit.ownVersionMayAppear()
    }

    /// Notes that COMPLETE of a one-part file is sent.
    package mutating func completesOnePart() { putLimit.completeSent() }

    /// Notes if a frame in the slot of COMPLETE shows that the store will not store the one-part file.
    package mutating func receivedAfterComplete(_ frame: Frame) {
        if isOnePart, frame.refusesToStore { putLimit.completeRefused() }
    }

    /// Counts a round of parts that the store lacks; returns whether the session can continue after so many rounds.
    package mutating func wanted() -> Bool {
        wantedRounds += 1
        return wantedRounds <= Self.wantedRoundsMax
    }

    /// Counts one more lost session of the file.
    package mutating func lost() { losses += 1 }
}

// MARK: - Beginning

extension UploadSession {
    /// How an upload begins.
    package enum OnBegin: Hashable, Sendable {
        /// A new session is to be opened.
        case open
        case end(UploadOutcome, stored: [PartListEntry] = [])
        case drop
        /// The session was begun with another version of the file.
        case otherVersion(stored: [PartListEntry] = [])
        /// The saved session cannot be continued. A new session begins at once, or after an abort.
        case leave(isOtherVersion: Bool)
        /// The session continues with these parts.
        case resume(stored: [PartListEntry])
        /// The file was touched: the parts are read again first.
        case verify(stored: [PartListEntry], FileStamp)
    }

    /// Decides how the upload begins.
    package mutating func begin(now: Instant) -> OnBegin {
        if let withdrawn = request.withdrawn {
            // Beside a saved session, the journal remembers only an earlier session of the same version.
            let isOwn = request.saved != nil || (withdrawn.stamp == request.stamp && !request.isStream)
            if isOwn {
                putLimit.ownVersionWasGivenUp(age: withdrawn.age, now: now)
            } else {
                putLimit.otherVersionWasGivenUp(age: withdrawn.age, now: now)
            }
        }
        if let saved = request.saved { return beginAgain(saved) }
        return request.purpose == .abort ? .end(.dropped) : .open
    }

    private mutating func beginAgain(_ saved: SavedSession) -> OnBegin {
        standing = .opened(saved.session, token: saved.token)
        earlier = .init(session: saved.session, inode: saved.stamp.inode)
        losses = saved.losses
        if saved.mayBeCompleted { putLimit.ownVersionMayAppear() }
        switch saved.verdict(for: request) {
        case .drop:
            return .drop
        case .streamIsGone:
            return .otherVersion()
        case .isDamaged:
            return .end(.failed(UploadFailure(.superseded, "the journal's row makes no sense")))
        case .isNotAllowed(let difference):
            plan = saved.plan
            guard request.purpose == .push else {
                let message = "the file has changed since it was found to have only grown: push it again"
                return .end(.failed(UploadFailure(.wrongFile, message)))
            }
            return .leave(isOtherVersion: difference != .none)
        case .isAllowed(let difference):
            plan = saved.plan
            target = .unseen(saved.condition)
            metadata = saved.metadata
            // An earlier run may have sent COMPLETE; the journal does not record that.
            standing = .completed(saved.session, token: saved.token)
            return resume(saved.parts.filter { plan?.bytes(of: $0.part) == $0.size }, after: difference)
        }
    }

    private mutating func resume(_ stored: [PartListEntry], after difference: FileStamp.Difference) -> OnBegin {
        switch difference {
        case .none:
            return .resume(stored: stored)
        case .touched where request.purpose == .resume && (isOnePart || stored.isEmpty):
            let message =
                "the file was changed or moved since this upload was begun, and nothing is stored yet that could "
                + "prove its content"
            return .end(.failed(UploadFailure(.wrongFile, message)), stored: stored)
        case .touched where isOnePart:
            // Nothing shows whether the content is the same, and the earlier content may be stored or may still appear.
            return .leave(isOtherVersion: true)
        case .touched:
            guard let stamp else { return .otherVersion(stored: stored) }
            file?.touch()
            return .verify(stored: stored, stamp)
        case .changed:
            return .otherVersion(stored: stored)
        }
    }
}

// MARK: - Choosing

extension UploadSession {
    /// What precedes the opening of a new session.
    package enum OnChoose: Hashable, Sendable {
        /// An earlier version of the file may still appear.
        case wait(until: Instant, rest: Duration)
        case fail(UploadFailure)
        /// An id is to be chosen and recorded.
        case record(FileStamp, partBytes: UInt64)
    }

    /// Chooses the part size within the limits of a gateway.
    package mutating func choose(
        by welcome: Welcome, after attempts: FruitlessAttempts = FruitlessAttempts(), now: Instant
    ) -> OnChoose? {
        guard let stamp else { return nil }
        let putLimitMax = Duration.milliseconds(Int64(welcome.putLimitMilliseconds))
        if case .wait(let end, let rest) = putLimit.named(putLimitMax, now: now) {
            return .wait(until: end, rest: rest)
        }
        let size = partSize
        switch size.partBytes(by: welcome.rule, small: attempts.needSmallParts) {
        case .failure(let failure): return .fail(failure)
        case .success(let partBytes):
            plan = PartPlan(fileBytes: size.fileBytes, partBytes: partBytes)
            streamPartsMax = welcome.rule.partsMax
            return .record(stamp, partBytes: partBytes)
        }
    }

    /// Gives the session its id, and returns the journal's row. The agent opens the session once the journal has it.
    package mutating func record(_ id: SessionID, _ stamp: FileStamp, partBytes: UInt64) -> SavedSession {
        standing = .chosen(id)
        isRecorded = true
        return row(of: id, stamp, partBytes: partBytes)
    }

    /// The journal's row of a session that begins.
    package func row(of id: SessionID, _ stamp: FileStamp, partBytes: UInt64) -> SavedSession {
        SavedSession(
            session: id, token: token, partBytes: partBytes, condition: condition, policy: policy, metadata: metadata,
            stamp: stamp, parts: [], losses: losses)
    }
}

// MARK: - Frames

extension UploadSession {
    /// SESSION OPEN; `nil` before an id has been chosen.
    package var openFrame: SessionOpen? {
        guard let id, let plan, let stamp else { return nil }
        let terms = SessionTerms(
            key: request.key, size: plan.fileBytes, partBytes: plan.partBytes, modification: stamp.modification,
            condition: condition, metadata: metadata)
        let compares = !request.isStream && policy != .fail && !isCompared
        return SessionOpen(session: id, terms: terms, compares: compares, asksForReceipt: request.wantsReceipt)
    }

    /// RESUME QUERY, which PART LIST with these stored parts follows.
    package func resumeQuery(listing entries: [PartListEntry], asksForPartials: Bool) -> ResumeQuery {
        ResumeQuery(
            listedParts: UInt32(clamping: entries.count), token: token, asksForPartials: asksForPartials,
            asksForReceipt: request.wantsReceipt)
    }

    /// Makes COMPLETE for a session of several parts, and notes that it is sent.
    package mutating func complete(_ entries: [PartListEntry], root: SHA256Digest) -> Complete {
        putLimit.completeSent()
        return Complete(
            root: root, partCount: UInt32(clamping: entries.count), size: entries.reduce(0) { $0 &+ $1.size },
            isFirst: standing.completes())
    }
}
