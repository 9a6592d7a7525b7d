import TransferCommon
import WireProtocol

// What an upload does with the gateway's frames (specification §6, §8, §9).

extension AgentUpload {
    /// The agent calls this with each frame in a slot of this upload. If the frame closes the slot, the agent has
    /// removed the slot already.
    ///
    /// - Parameter stage: the stage of the slot before the frame.
    mutating func received(_ frame: Frame, at place: Attachment, stage: Stage, _ context: inout AgentContext) {
        switch frame {
        case .sessionOpened(let opened): received(opened, at: place, &context)
        case .sessionExists(let exists):
            site = context.connections[place.connection]?.welcome?.site
            received(exists, stage: stage, &context)
        case .sessionRefused(let refused): received(refused, stage: stage, &context)
        case .partDecision(let decision): received(decision, at: place, &context)
        case .received(let received): self.received(received, at: place, &context)
        case .stored(let stored): received(stored, at: place, &context)
        case .resumeState(let state): received(state, at: place, stage: stage, &context)
        case .partList(let page):
            guard let plan = session.plan, plan.partCount != nil else { return }
            parts.list(page, of: plan)
            offerReadyParts(&context)
        case .partsWanted(let wanted): received(wanted, at: place, &context)
        case .completed(let completed): received(completed, at: place, stage: stage, &context)
        case .aborted: receivedAborted(&context)
        case .error(let report): received(report, at: place, stage: stage, &context)
        default: break  // The agent passes on no other frame.
        }
    }

    private mutating func received(_ opened: SessionOpened, at place: Attachment, _ context: inout AgentContext) {
        guard phase == .opening else { return }
        if lifecycle.isDropping { return dropOpened(opened, &context) }
        if session.token.isEmpty { context.progressAt = context.now }
        if let adoption = opened.adoption { return adopt(opened, adoption, at: place, &context) }
        guard opened.session == session.id, opened.partBytes == session.plan?.partBytes else {
            return end(.failed(UploadFailure(.protocolViolation, "the gateway opened another session")), &context)
        }
        takeToken(opened.token, &context)
        restampIfTouched(&context)
        lifecycle.opened(in: place)
        reportOpened(&context)
        offerReadyParts(&context)
        recheckIfWhole(&context)
    }

    private func reportOpened(_ context: inout AgentContext) {
        guard let session = session.id else { return }
        context.actions.append(.report(id, .opened(session, resumedBytes: bytesResumed)))
    }

    /// The user dropped the upload while its session was being opened: now there is a token for ABORT.
    private mutating func dropOpened(_ opened: SessionOpened, _ context: inout AgentContext) {
        guard !opened.isAdopted else { return end(.dropped, &context) }
        session.takeToken(opened.token)
        leaveLinks(&context)
        lifecycle.wait(to: .abort, until: context.now)
    }

    private mutating func restampIfTouched(_ context: inout AgentContext) {
        if let stamp = session.notCompleted() { context.journal(.restamped(id, stamp)) }
    }

    private mutating func takeToken(_ token: [UInt8], _ context: inout AgentContext) {
        guard !token.isEmpty else { return }
        session.takeToken(token)
        // A later run opens the session of a one-part file again by its id and needs no token, so the token is not
        // written to the journal.
        if !session.isOnePart { context.journal(.token(id, token)) }
    }

    private mutating func received(
        _ state: ResumeState, at place: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        guard stage == .resuming else { return }
        switch state.phase {
        case .ongoing:
            takeToken(state.token, &context)
            restampIfTouched(&context)
            if !state.wanted.isEmpty { sendAgain(state.wanted, &context) }
            parts.queryAnswered()
            parts.name(state.partials, in: place, of: session.plan)
            if lifecycle.resumed(in: place) {
                parts.expectList(of: state.candidateParts, in: place)
                reportOpened(&context)
            }
            offerReadyParts(&context)
            recheckIfWhole(&context)
        case .completing:
            lifecycle.foundCompleting(in: place)
        case .lost where phase != .resuming:
            slotRefused(adviceMilliseconds: 0, &context)
        case .lost:
            beginAnew(after: .sessionLost, &context)
        }
    }

    private mutating func received(_ wanted: PartsWanted, at place: Attachment, _ context: inout AgentContext) {
        guard lifecycle.partsWanted(in: place) else { return offerReadyParts(&context) }
        guard session.wanted() else { return beginAnew(after: .sessionLost, &context) }
        sendAgain(wanted.parts, &context)
        recheckIfWhole(&context)
    }

    private mutating func sendAgain(_ wanted: [PartNumber], _ context: inout AgentContext) {
        let known = parts.sendAgain(wanted)
        guard !known.numbers.isEmpty else { return }
        bytesResumed -= min(bytesResumed, known.bytes)
        context.journal(.unstored(id, known.numbers))
    }

    private mutating func received(
        _ completed: Completed, at place: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        guard phase.concernsObject else { return }
        if lifecycle.isDropping { return end(.dropped, &context) }
        context.progressAt = context.now
        site = context.connections[place.connection]?.welcome?.site
        if session.isOnePart { context.store.stored() }
        let root = ownRoot(context)
        switch completed.judge(for: session, root: root, whole: onePartDigest, isAnswer: stage == .completing) {
        case .otherSize:
            end(.failed(UploadFailure(.protocolViolation, "the gateway completed another size")), &context)
        case .compare(let exists, let isOther):
            compare(with: exists, stage: stage, isOther: isOther, &context)
        case .stored(let isCompared):
            var receipt = UploadReceipt(of: completed, by: session, root: root, at: site)
            receipt.signed = self.receipt(of: completed, isCompared: isCompared, at: place, &context)
            end(.stored(receipt, wasThere: false), &context)
        }
    }

    /// The root digest; `nil` unless the digest of every part is known.
    private func ownRoot(_ context: AgentContext) -> SHA256Digest? {
        guard let plan = session.plan, let count = plan.partCount else { return nil }
        if plan.isOnePart {
            return onePartDigest.flatMap { context.cryptography.rootDigest(of: [$0]) }
        }
        let digests = parts.stored.digests
        return digests.count == Int(count) ? context.cryptography.rootDigest(of: digests) : nil
    }

    /// The digest of the file, if the file is one part and the part has been read.
    private var onePartDigest: SHA256Digest? { session.isOnePart ? PartNumber(1).flatMap { parts[$0]?.digest } : nil }

    private mutating func receivedAborted(_ context: inout AgentContext) {
        guard phase == .aborting else { return }
        dropped(&context)
    }

    /// Everything that was begun in the store has been dropped.
    mutating func dropped(_ context: inout AgentContext) {
        if let outcome = lifecycle.after.outcome {
            end(outcome, &context)
        } else {
            startOver(&context)
        }
    }

    // MARK: Completing

    /// When every part is stored, the shell reads the file's stamp once more before COMPLETE is sent.
    ///
    /// By then the journal must have every part. A gateway concludes from a list with fewer parts that no other gateway
    /// is completing the upload, so a later run must not list fewer parts after COMPLETE. (If PARTS WANTED has removed
    /// parts from the journal since, that COMPLETE has been answered.)
    mutating func recheckIfWhole(_ context: inout AgentContext) {
        guard phase == .transferring, let plan = session.plan, !plan.isOnePart, parts.isEmpty,
            let count = plan.partCount, parts.stored.count == Int(count), unsavedEntry == nil
        else { return }
        lifecycle.recheck()
        context.actions.append(.checkFile(id))
    }

    /// The shell has read the file's stamp again.
    mutating func fileChecked(_ result: Result<FileStamp, UploadFailure>, _ context: inout AgentContext) {
        guard phase == .rechecking else { return }
        switch result {
        case .success(let later):
            switch session.difference(whileReading: later) {
            case .none: sendComplete(&context)
            case .touched: verify(stamp: later, for: .complete, &context)
            case .changed: end(.failed(.changedWhileSent), &context)
            }
        case .failure(let failure):
            end(.failed(failure), &context)
        }
    }

    mutating func sendComplete(_ context: inout AgentContext) {
        guard let place = lifecycle.links.firstOpen else {
            return lifecycle.wait(to: requestToRepeat, until: context.now)
        }
        let entries = parts.stored.list
        guard let root = context.cryptography.rootDigest(of: parts.stored.digests) else {
            return end(.failed(UploadFailure(.protocolViolation, "the digests could not be joined")), &context)
        }
        lifecycle.completes(in: place)
        for page in PartList.pages(of: entries) { context.send(.partList(page), to: place) }
        context.send(.complete(session.complete(entries, root: root)), to: place)
    }
}
