import TransferCommon
import WireProtocol

// What the gateway's frames mean to an upload (specification §6, §8, §9).

extension AgentUpload {
    /// Called by the agent with each frame in a slot of this upload. Where the frame closes the slot, the agent has
    /// removed the link already.
    ///
    /// - Parameter stage: what the slot was doing.
    mutating func received(
        _ frame: Frame, at attachment: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        switch frame {
        case .sessionOpened(let opened): received(opened, at: attachment, &context)
        case .sessionExists(let exists):
            site = context.connections[attachment.connection]?.welcome?.site
            received(exists, stage: stage, &context)
        case .sessionRefused(let refused): received(refused, stage: stage, &context)
        case .partDecision(let decision): received(decision, at: attachment, &context)
        case .received(let received): self.received(received, at: attachment, &context)
        case .stored(let stored): received(stored, at: attachment, &context)
        case .resumeState(let state): received(state, at: attachment, stage: stage, &context)
        case .partList(let page): received(page, &context)
        case .partsWanted(let wanted): received(wanted, at: attachment, &context)
        case .completed(let completed): received(completed, at: attachment, stage: stage, &context)
        case .aborted: receivedAborted(&context)
        case .error(let report): received(report, at: attachment, stage: stage, &context)
        default: break  // Frames of connection scope do not come here.
        }
    }

    func stage(at attachment: Attachment) -> Stage? {
        links.first { $0.attachment == attachment }?.stage
    }

    /// What the slot is to its gateway. COMPLETE that was sent ahead means nothing before SESSION OPENED.
    func slotState(at attachment: Attachment) -> AgentSlotState {
        switch stage(at: attachment) {
        case .opening: .opening
        case .resuming: .resuming
        case .open: .open
        case .completing: phase == .opening ? .opening : .completing
        case .aborting: .aborting
        case nil: .closed
        }
    }

    mutating func setStage(_ stage: Stage, of attachment: Attachment) {
        guard let index = links.firstIndex(where: { $0.attachment == attachment }) else { return }
        links[index].stage = stage
    }

    private mutating func received(
        _ opened: SessionOpened, at attachment: Attachment, _ context: inout AgentContext
    ) {
        guard phase == .opening else { return }
        if isDropping { return dropOpened(opened, &context) }
        if token.isEmpty { context.progressAt = context.now }
        if let adoption = opened.adoption { return adopt(opened, adoption, at: attachment, &context) }
        guard opened.session == session, opened.partBytes == plan?.partBytes else {
            return end(.failed(UploadFailure(.protocolViolation, "the gateway opened another session")), &context)
        }
        takeToken(opened.token, &context)
        restampIfTouched(&context)
        let isCompleting = stage(at: attachment) == .completing
        if !isCompleting { setStage(.open, of: attachment) }
        phase = isCompleting ? .completing : .transferring
        if let session { context.actions.append(.report(id, .opened(session, resumedBytes: bytesResumed))) }
        offerReadyParts(&context)
        recheckIfWhole(&context)
    }

    /// The user dropped it while it was being opened: now there is a token to drop it with.
    private mutating func dropOpened(_ opened: SessionOpened, _ context: inout AgentContext) {
        guard !opened.isAdopted else { return end(.dropped, &context) }
        token = opened.token
        leaveLinks(&context)
        phase = .waiting(.abort, until: context.now)
    }

    /// The session was not completed before the file was touched, or this answer would say so.
    private mutating func restampIfTouched(_ context: inout AgentContext) {
        guard isTouched, let stamp else { return }
        isTouched = false
        context.journal(.restamped(id, stamp))
    }

    private mutating func takeToken(_ token: [UInt8], _ context: inout AgentContext) {
        guard !token.isEmpty else { return }
        self.token = token
        // A one-part file is opened again by its id: its token is not worth a write.
        if plan?.isOnePart != true { context.journal(.token(id, token)) }
    }

    private mutating func received(
        _ state: ResumeState, at attachment: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        guard stage == .resuming else { return }
        switch state.phase {
        case .ongoing:
            takeToken(state.token, &context)
            restampIfTouched(&context)
            setStage(.open, of: attachment)
            if !state.wanted.isEmpty { sendAgain(state.wanted, &context) }
            named.answered()
            received(state.partials, at: attachment)
            if phase == .resuming {
                named.expectList(of: state.candidateParts, in: attachment)
                phase = .transferring
                if let session { context.actions.append(.report(id, .opened(session, resumedBytes: bytesResumed))) }
            }
            offerReadyParts(&context)
            recheckIfWhole(&context)
        case .completing:
            setStage(.completing, of: attachment)
            phase = .completing
        case .lost where phase != .resuming:
            slotRefused(adviceMilliseconds: 0, &context)
        case .lost:
            beginAnew(after: .sessionLost, &context)
        }
    }

    /// It comes in each slot that is completing, and opens that slot only: another gateway, which has not said it, may
    /// be completing the session yet.
    private mutating func received(
        _ wanted: PartsWanted, at attachment: Attachment, _ context: inout AgentContext
    ) {
        setStage(.open, of: attachment)
        guard phase == .completing else { return offerReadyParts(&context) }
        phase = .transferring
        wantedRounds += 1
        // A store that never has what it confirmed has lost the session, whatever it says.
        guard wantedRounds <= 3 else { return beginAnew(after: .sessionLost, &context) }
        sendAgain(wanted.parts, &context)
        recheckIfWhole(&context)
    }

    private mutating func sendAgain(_ wanted: [PartNumber], _ context: inout AgentContext) {
        let known = wanted.filter { stored[$0] != nil }
        guard !known.isEmpty else { return }
        for number in known {
            named.forget(number)
            if let entry = stored.remove(number) { bytesResumed -= min(bytesResumed, entry.size) }
        }
        context.journal(.unstored(id, known))
        queue.putFirst(known)
    }

    private mutating func received(
        _ completed: Completed, at attachment: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        switch phase {
        case .opening, .resuming, .transferring, .rechecking, .completing: break
        default: return  // It was not asked for: of an older version, or after the end.
        }
        if isDropping { return end(.dropped, &context) }
        context.progressAt = context.now
        site = context.connections[attachment.connection]?.welcome?.site
        if plan?.isOnePart == true { context.store.stored() }
        guard completed.size == fileBytes else {
            return end(.failed(UploadFailure(.protocolViolation, "the gateway completed another size")), &context)
        }
        let root = ownRoot(context)
        switch agreement(of: completed, root: root) {
        case false?:
            compare(with: spent(completed), stage: stage, isOther: true, &context)
        case nil where !request.isStream && (completed.evidence != .none || stage != .completing || isTouched):
            // It was completed with the file's content of before, which need not be that of now; or by another agent
            // with this one's identity, of another file.
            compare(with: spent(completed), stage: stage, &context)
        case let isSame:
            var receipt = UploadReceipt(
                size: completed.size, partBytes: completed.partBytes, root: root, evidence: completed.evidence,
                etag: completed.etag, version: completed.version, session: session,
                stamp: request.isStream ? nil : stamp)
            receipt.site = site
            receipt.stampCounts = stampCounts
            receipt.signed = self.receipt(of: completed, isCompared: isSame == true, at: attachment, &context)
            end(.stored(receipt, wasThere: false), &context)
        }
    }

    /// The session was completed, and need not have been with the content that the file has now: it is of no use for
    /// another.
    private func spent(_ completed: Completed) -> SessionExists {
        SessionExists(
            size: completed.size, partBytes: completed.partBytes, evidence: completed.evidence, etag: completed.etag,
            version: completed.version, session: session)
    }

    /// The root digest, where the digest of every part is known.
    private func ownRoot(_ context: AgentContext) -> SHA256Digest? {
        guard let plan, let count = plan.partCount else { return nil }
        if plan.isOnePart {
            return onePartDigest.flatMap { context.cryptography.rootDigest(of: [$0]) }
        }
        let digests = stored.digests
        return digests.count == Int(count) ? context.cryptography.rootDigest(of: digests) : nil
    }

    private var onePartDigest: SHA256Digest? { PartNumber(1).flatMap { parts[$0]?.digest } }

    /// Whether the object is this file, by its evidence; `nil` where that cannot be told.
    private func agreement(of completed: Completed, root: SHA256Digest?) -> Bool? {
        switch completed.evidence {
        case .root(let there) where completed.partBytes == plan?.partBytes: root.map { $0 == there }
        case .wholeDigest(let there) where plan?.isOnePart == true: onePartDigest.map { $0 == there }
        case .root, .wholeDigest, .compositeMD5, .none: nil
        }
    }

    private mutating func receivedAborted(_ context: inout AgentContext) {
        guard phase == .aborting else { return }
        dropped(&context)
    }

    /// What was begun is gone from the store: so goes the upload, or the new version of the file begins.
    mutating func dropped(_ context: inout AgentContext) {
        if request.purpose == .abort || isDropping {
            end(.dropped, &context)
        } else {
            startOver(&context)
        }
    }

    // MARK: Completing

    /// When every part is stored, the file is looked at once more before it is completed.
    ///
    /// The journal has every part by then. So a later run that lists fewer parts tells its gateway that no other one
    /// is completing the upload; where parts were wanted since, that completion has been answered.
    mutating func recheckIfWhole(_ context: inout AgentContext) {
        guard phase == .transferring, let plan, !plan.isOnePart, parts.isEmpty, let count = plan.partCount,
            stored.count == Int(count), unsavedEntry == nil
        else { return }
        phase = .rechecking
        context.actions.append(.checkFile(id))
    }

    /// Called by the agent when the shell has looked at the file again.
    mutating func fileChecked(_ result: Result<FileStamp, UploadFailure>, _ context: inout AgentContext) {
        guard phase == .rechecking else { return }
        switch result {
        case .success(let later):
            switch difference(whileReading: later) {
            case .none: sendComplete(&context)
            case .touched: verify(stamp: later, for: .complete, &context)
            case .changed: end(.failed(UploadFailure(.changed, "the file changed while it was being sent")), &context)
            }
        case .failure(let failure):
            end(.failed(failure), &context)
        }
    }

    mutating func sendComplete(_ context: inout AgentContext) {
        guard let link = links.first(where: { $0.stage == .open }) else {
            phase = .waiting(requestToRepeat, until: context.now)
            return
        }
        let entries = stored.list
        guard let root = context.cryptography.rootDigest(of: stored.digests) else {
            return end(.failed(UploadFailure(.protocolViolation, "the digests could not be joined")), &context)
        }
        phase = .completing
        setStage(.completing, of: link.attachment)
        for page in PartList.pages(of: entries) { context.send(.partList(page), to: link.attachment) }
        let complete = Complete(
            root: root, partCount: UInt32(clamping: entries.count), size: entries.reduce(0) { $0 &+ $1.size },
            isFirst: !mayBeCompleting)
        mayBeCompleting = true
        context.send(.complete(complete), to: link.attachment)
    }
}
