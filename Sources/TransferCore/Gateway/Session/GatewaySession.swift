import TransferCommon
import WireProtocol

/// A session at one gateway: decides what to ask the store, what to send to the agent, and when.
///
/// The machines of a session decide the details. `SessionIntake` handles the slots and the parts. The machines in
/// `SessionWork` decide what the store is asked while the session takes no parts. `SessionTarget` knows what may be
/// written. All these machines return each change of the session as a `SessionStep`, and `apply` is the only place that
/// changes the phase.
///
/// - The gateway reports a part as *stored* only after the store's own answer. `StoredParts` loses such a part only if
///   the store turns out to hold other content or another ETag, or not to hold the part.
/// - The session completes exactly the ETags that the agent listed, and only if they make one whole file.
/// - "The store does not know the upload" leads to a search for evidence, never to success or loss by itself.
/// - Every byte that the agent may send is reserved in the budget before the agent learns of it.
/// - Only an object that the session's write condition names is replaced.
struct GatewaySession: Hashable {
    var target: SessionTarget
    private(set) var phase = SessionPhase.new
    var intake: SessionIntake
    /// Whether failing parts mean that the upload is gone.
    var doubt = UploadDoubt()
    /// Drops the upload in the store if the session ends without using the upload.
    private(set) var leftover = LeftoverUpload()

    var id: SessionID { target.session }
    var device: AuthorisedDevice { target.device }
    var facts: SessionRecord { target.facts }
    var plan: PartPlan { target.plan }
    var isOnePart: Bool { target.isOnePart }
    /// The slots that carry the session.
    var attached: AttachedSlots { intake.slots }
    /// The offered parts, until the store has answered or the gateway gives them up.
    var parts: PartTable { intake.parts.table }

    init(device: AuthorisedDevice, facts: SessionRecord, plan: PartPlan, compares: Bool, memory: SessionMemory) {
        self.target = SessionTarget(device: device, facts: facts, plan: plan, compares: compares)
        self.intake = SessionIntake(plan: plan, device: device.fingerprint, memory: memory)
    }

    // MARK: Beginning

    /// Called by the gateway once, for SESSION OPEN of a session that the gateway does not know.
    mutating func beginOpening(_ context: inout GatewayContext) {
        apply(SessionOpening.lookingUp.ask(target), &context)
    }

    /// Called by the gateway once, for RESUME QUERY of a session that the gateway does not know.
    mutating func beginResuming(_ context: inout GatewayContext) {
        if isOnePart {
            apply(SessionOpening.lookingUp.ask(target), &context)
        } else if let upload = facts.upload {
            apply(SessionOpening.listing(upload: upload).ask(target), &context)
        } else {
            apply(.open, &context)
        }
    }

    // MARK: Slots

    /// Called by the gateway after the line of the session's device in the device list has changed. The connections of
    /// the device have ended.
    mutating func changeDevice(to device: AuthorisedDevice, _ context: inout GatewayContext) {
        intake.changeDevice(to: device.fingerprint, &context)
        target.changed(device)
    }

    /// Called by the gateway when a slot begins to carry this session.
    mutating func attach(
        _ attachment: Attachment, asks question: AttachedSlot.Question, _ context: inout GatewayContext
    ) {
        let hadNoSlot = attached.isEmpty
        intake.slots.attach(AttachedSlot(attachment, asks: question))
        switch phase {
        case .open:
            // The agent has returned, perhaps long after it stored its last part. Renew the record, so that no gateway
            // removes the upload as abandoned.
            if hadNoSlot, !isOnePart { context.renewRecord(of: id, of: device, key: facts.key) }
            intake.answerNowOpen(attachment, target, &context)
        case .settled(let completed, let isVerified):
            intake.closeAll(.completed(completed, isVerified: isVerified), target, &context)
        case .taken(let exists): intake.closeAll(.exists(exists), target, &context)
        case .asking(.completing, _), .resting(.completing):
            guard case .resume = question else { break }
            intake.joinCompletion(attachment, target, &context)
        case .asking(.aborting, _), .resting(.aborting):
            intake.close(attachment, with: .sessionRefused(.aborted), &context)
        case .new, .asking, .resting, .ended: break
        }
    }

    /// Handles PART OFFER in a slot that is opening, resuming, open or completing; returns a violation, if any.
    mutating func receivedOffer(
        _ offer: PartOffer, from attachment: Attachment, _ context: inout GatewayContext
    ) -> Violation? {
        intake.receivedOffer(offer, from: attachment, isOpen: phase.isOpen, target, &context)
    }

    /// Called by the gateway for ABORT. The abort continues even if the agent's connection ends.
    mutating func receivedAbort(from attachment: Attachment, _ context: inout GatewayContext) {
        if case .asking(_, let request) = phase { context.leave(request, of: id) }
        intake.receivedAbort(from: attachment, &context)
        if case .settled = phase { return apply(.finishAbort, &context) }
        if isOnePart, intake.parts.mayLand {
            apply(UploadAbort.ofOnePart.ask(target), &context)
        } else if !isOnePart, let upload = facts.upload {
            apply(UploadAbort(of: upload).ask(target), &context)
        } else {
            apply(.finishAbort, &context)
        }
    }

    /// Called by the gateway for COMPLETE in a slot that is opening, resuming or open (specification §9.1). The
    /// completion continues even if the agent's connection ends. `list`: the PART LIST pages in this slot since it
    /// became open, or since the last COMPLETE in it; `nil` if their last page is missing.
    mutating func receivedComplete(
        _ complete: Complete, list: [PartListEntry]?, from attachment: Attachment, _ context: inout GatewayContext
    ) {
        guard let slot = attached[attachment] else { return }
        // Another slot's COMPLETE is being carried out already. This slot waits for the same outcome.
        if phase.work?.isOfComplete == true, slot.phase == .open {
            return intake.slots.expectOutcome(at: attachment, &context)
        }
        let rule = CompleteRule(plan: plan, extent: intake.parts.extent)
        if let objection = rule.objection(to: complete) {
            return intake.close(attachment, with: .error(objection.asSessionError), &context)
        }
        if isOnePart {
            return intake.receivedCompleteOfOnePart(complete, from: slot, rule, isOpen: phase.isOpen, target, &context)
        }
        switch rule.judge(list, of: complete, rootDigest: context.cryptography.rootDigest) {
        case .refused(let objection): intake.close(attachment, with: .error(objection.asSessionError), &context)
        case .agreed(let list):
            intake.slots.expectOutcome(at: attachment, &context)
            if case .asking(.checking, let request) = phase {
                // The completion begins by listing the upload anew, so the answer under way is not needed.
                context.leave(request, of: id)
            } else if !phase.isOpen {
                return  // The search for a lost upload brings the outcome.
            }
            guard let upload = facts.upload else {
                return apply(.refuse(.defect("the session has no upload")), &context)
            }
            intake.giveUpParts(&context)
            apply(Completion(of: upload, list: list, complete: complete).ask(target), &context)
        }
    }

    /// Whether a failure of this call may concern only the session's upload, and not the store.
    func isDoubtful(_ call: StoreRequestID) -> Bool { doubt.isDoubted && parts.number(ofCall: call) != nil }

    // MARK: Parts that do not move

    /// Drops the part and tells the agent to offer it again; the session stays open.
    mutating func evictPart(_ number: PartNumber, _ context: inout GatewayContext) {
        let refusal = SessionRefused(
            .partInterrupted, retryAfter: context.limits.laterAdvice, message: "the part did not move")
        guard intake.interruptPart(number, refusal, &context) else { return }
        context.actions.append(.note(.partEvicted(id, number)))
    }

    /// Called by the gateway for a part that waits far longer for the store's answer than others. The agent sends the
    /// part again, and the gateway passes it to the store on another connection. Both requests carry the same bytes, so
    /// it does no harm if the first one still takes effect.
    mutating func repeatSlowPart(_ request: StoreRequestID, _ context: inout GatewayContext) {
        guard !isOnePart, let number = parts.number(ofCall: request) else { return }
        let refusal = SessionRefused(.partInterrupted, message: "the store is slow with it")
        _ = intake.interruptPart(number, refusal, &context)
    }

    // MARK: Time

    /// The next moment at which `tick` has something to do.
    func nextDeadline(_ limits: GatewayLimits) -> Instant? {
        let forgottenAt = mayBeForgotten ? attached.detachedAt.map { $0 + limits.sessionGrace } : nil
        return earlier(earlier(parts.nextDeadline(grace: limits.partGrace), forgottenAt), phase.pauseEnd)
    }

    /// Gives up orphaned parts that are due, and continues the work after its pause. Called at `nextDeadline`.
    mutating func tick(_ context: inout GatewayContext) {
        intake.giveUpDueParts(&context)
        guard let pauseEnd = phase.pauseEnd, pauseEnd <= context.now, let work = phase.work else { return }
        apply(work.resumed(target, context.limits), &context)
    }

    // MARK: The store's answers

    /// Judges each answer to a request of this session, once. `busy`: sessions in use or ended, which are not adopted.
    mutating func receivedAnswer(
        _ answer: StoreAnswer, to request: StoreRequestID, busy: Set<SessionID>, _ context: inout GatewayContext
    ) {
        let step: SessionStep?
        if let number = parts.number(ofCall: request) {
            step = receivedPartAnswer(answer, part: number, &context)
        } else if let digest = intake.parts.answeredGivenUp(request) {
            step = receivedGivenUpAnswer(answer, digest)
        } else if leftover.awaits(request) {
            step = nil
            receivedLeftoverAnswer(answer, &context)
        } else if let number = parts.number(ofLook: request) {
            step = intake.receivedLook(answer, part: number, &target, &context)
        } else if case .asking(let work, request) = phase {
            step = self.step(of: work, after: answer, busy: busy, context)
        } else {
            // The answer to the removal of a record. After a failure, a later cleaning of the store finds the record.
            step = nil
        }
        if let step { apply(step, &context) }
    }

    private mutating func step(
        of work: SessionWork, after answer: StoreAnswer, busy: Set<SessionID>, _ context: GatewayContext
    ) -> SessionStep {
        let now = context.now
        switch work {
        case .opening(var opening):
            let surroundings = SessionOpening.Surroundings(
                areAllOpening: attached.areAllOpening,
                mayBeCompleting: intake.parts.mayBeWhole(listed: attached.listedMax), busy: busy)
            return opening.step(after: answer, &target, surroundings, probesMax: context.limits.probesMax)
        case .searching(var search): return search.step(after: answer, &target, context.limits, now: now)
        case .completing(var completion):
            return completion.step(after: answer, &target, stored: intake.parts.stored, context.limits, now: now)
        case .checking:
            return doubt.step(after: answer, mayBeCompleting: intake.parts.mayBeWhole(listed: attached.listedMax))
        case .aborting(var abort):
            return abort.step(after: answer, target, mayLand: intake.parts.mayLand, now: now)
        }
    }

    private mutating func receivedPartAnswer(
        _ answer: StoreAnswer, part number: PartNumber, _ context: inout GatewayContext
    ) -> SessionStep? {
        let step = intake.receivedPartAnswer(answer, part: number, &context)
        guard doubt.answered(answer), step == nil, phase.isOpen, let upload = facts.upload else { return step }
        return .ask(.checking, .listParts(key: facts.key, upload: upload))
    }

    private func receivedGivenUpAnswer(_ answer: StoreAnswer, _ digest: SHA256Digest) -> SessionStep? {
        if case .objectStored(let object) = answer, phase.isOpen {
            // The call has taken effect after all: the object holds this session's bytes.
            let proven = object.proven(by: .wholeDigest(digest), isVerified: true)
            return .settle(proven, bytes: plan.fileBytes ?? 0, leavesUpload: false)
        }
        guard case .aborting(let abort) = phase.work else { return nil }
        return abort.isFinished(mayLand: intake.parts.mayLand) ? .finishAbort : nil
    }

    private mutating func receivedLeftoverAnswer(_ answer: StoreAnswer, _ context: inout GatewayContext) {
        switch leftover.answered(answer, mayLand: intake.parts.mayLand) {
        case .list:
            guard let upload = facts.upload else { return }
            leftover.lists(request(.listParts(key: facts.key, upload: upload), &context))
        case .removeRecord: removeRecord(&context)
        case .nothing: break
        }
    }

    // MARK: Steps

    /// Carries out a step. No other method changes the phase.
    mutating func apply(_ step: SessionStep, _ context: inout GatewayContext) {
        switch step {
        case .ask(let work, let question): phase = .asking(work, request(question, &context))
        case .rest(let work): phase = .resting(work)
        case .open: open(&context)
        case .begin:
            context.actions.append(.note(.opened(id, device: device.name, key: facts.key)))
            open(&context)
        case .resume(let stored):
            intake.parts.listed(stored, keepsETags: intake.memory.extendTable(for: stored, &context))
            doubt.resumed()
            context.resumed(id, of: device, key: facts.key)
            open(&context)
        case .takeAgain(let owner):
            intake.reportLostPart(to: owner, &context)
            open(&context)
        case .want(let numbers):
            phase = .open
            intake.want(numbers, target, &context)
        case .search(let cause, let isPatient, let retry, let content):
            // Only decided parts are dropped. After the search the gateway decides the others, or closes their slots.
            intake.giveUpParts(where: { !$0.isUndecided }, &context)
            let patience = isPatient ? context.limits.completionPatience : .zero
            let looks = ObjectSearch(cause: cause, patience: patience, now: context.now)
            apply(SessionSearch(looks: looks, retry: retry, content: content).ask(target), &context)
        case .settle(let object, let bytes, let leavesUpload):
            end(.settled(target, object, bytes: bytes, leavesUpload: leavesUpload), &context)
        case .exists(let object): end(.taken(target, object), &context)
        case .lose:
            if !isOnePart { removeRecord(&context) }
            context.actions.append(.note(.lost(id, device: device.name, key: facts.key)))
            end(.refused(target, .lost), &context)
        case .refuse(let refusal):
            end(.refused(target, context.advised(refusal)), &context)
            // An ABORT on a later slot has to wait for the parts that may still arrive.
            if partsMayLand { phase = .new }
        case .forget: phase = partsMayLand ? .new : .ended
        case .finishAbort:
            // While a request that was given up has no answer, it may still store a part of the upload. A gateway that
            // later cleans the store finds this part only if the record still exists.
            if !isOnePart, !intake.parts.mayLand { removeRecord(&context) }
            end(.aborted(target), &context)
        }
    }

    private mutating func open(_ context: inout GatewayContext) {
        phase = .open
        intake.opened(target, &context)
    }

    private mutating func end(_ ending: SessionEnding, _ context: inout GatewayContext) {
        phase = ending.phase
        intake.closeAll(ending.answer, target, &context)
        switch ending.remainder {
        case .nothing: break
        case .record: removeRecord(&context)
        case .upload(let upload): leftover.drops(request(.abort(key: facts.key, upload: upload), &context))
        }
        if let note = ending.note { context.actions.append(.note(note)) }
    }

    private func request(_ request: StoreRequest, _ context: inout GatewayContext) -> StoreRequestID {
        context.request(request, for: .session(id, device: device.fingerprint))
    }

    private func removeRecord(_ context: inout GatewayContext) {
        context.removeRecord(of: id, device: device.fingerprint, key: facts.key)
    }
}
