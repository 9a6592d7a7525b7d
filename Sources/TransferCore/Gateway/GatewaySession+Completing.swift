import TransferCommon
import WireProtocol

// Completing a session of several parts (specification §9.1). It continues when the agent's connection ends.

extension GatewaySession {
    /// Completing several parts.
    struct Completion: Hashable {
        enum Step: Hashable {
            /// The store's own list is being compared with the agent's.
            case comparing
            /// The store is asked what the key holds, right before the upload is completed, or because the answer to
            /// an earlier completion was lost.
            case looking
            case completing
        }

        var step: Step
        var list: [PartListEntry]
        var complete: Complete
        var attempts = 0
        var resumesAt: Instant?
        /// Listed parts that the store's listing lacks: it may lag, or they may be gone.
        var unlisted: [PartNumber] = []

        /// What the completed object holds.
        var content: ContentEvidence { .root(complete.root) }
    }

    /// Called by the gateway for COMPLETE in a slot that is opening, resuming or open (specification §9.1).
    ///
    /// - Parameter list: the PART LIST pages in this slot since it became open, or since the last COMPLETE in it; `nil`
    ///   where their last page is not there.
    mutating func receivedComplete(
        _ complete: Complete, list: [PartListEntry]?, from attachment: Attachment, _ context: inout GatewayContext
    ) {
        guard let slot = attached.first(where: { $0.attachment == attachment }) else { return }
        // It is being decided already, and told to every slot that waits for it.
        if isCompleting, slot.awaits == .nothing { return expectOutcome(at: attachment, &context) }
        if let objection = objectionToNumbers(of: complete) {
            return refuseCompletion(SessionRefused(.listInvalid, message: objection), to: attachment, &context)
        }
        if isOnePart { return receivedCompleteOfOnePart(complete, from: slot, &context) }
        guard let list else {
            let refusal = SessionRefused(.listInvalid, message: "COMPLETE without a whole list of the parts")
            return refuseCompletion(refusal, to: attachment, &context)
        }
        if let objection = objection(to: list, complete, context) {
            return refuseCompletion(objection, to: attachment, &context)
        }
        expectOutcome(at: attachment, &context)
        guard phase == .open else { return }  // The upload is gone: the outcome follows from the search.
        guard let upload = facts.upload else { return fail(.defect("the session has no upload"), &context) }
        dropAllParts(&context)
        phase = .completing(Completion(step: .comparing, list: list, complete: complete))
        request = context.request(.listParts(key: facts.key, upload: upload), for: id)
    }

    /// Whether a COMPLETE of several parts is being decided.
    private var isCompleting: Bool {
        switch phase {
        case .completing: true
        case .searching(let search): if case .completion = search.retry { true } else { false }
        default: false
        }
    }

    mutating func refuseCompletion(
        _ refusal: SessionRefused, to attachment: Attachment, _ context: inout GatewayContext
    ) {
        guard let index = attached.firstIndex(where: { $0.attachment == attachment }) else { return }
        answer(index, .error(refusal.asSessionError), &context)
    }

    /// Why the numbers of COMPLETE are not the session's.
    private func objectionToNumbers(of complete: Complete) -> String? {
        let named = "COMPLETE names \(complete.partCount) parts and \(complete.size) bytes"
        if let bytes = plan.fileBytes, bytes != complete.size { return "\(named); the session has \(bytes) bytes" }
        let whole = PartPlan(fileBytes: complete.size, partBytes: plan.partBytes)
        guard whole?.partCount == complete.partCount else { return "\(named), in parts of \(plan.partBytes)" }
        return plan.isStream ? extent.objection(to: complete) : nil
    }

    /// Whether the list is one whole file of the root digest: numbers without a gap, sizes that fit, digests that
    /// agree.
    private func objection(
        to list: [PartListEntry], _ complete: Complete, _ context: GatewayContext
    ) -> SessionRefused? {
        guard list.count == Int(complete.partCount),
            let whole = PartPlan(fileBytes: complete.size, partBytes: plan.partBytes)
        else {
            let message = "COMPLETE names \(complete.partCount) parts, its list \(list.count)"
            return SessionRefused(.listInvalid, message: message)
        }
        var digests: [SHA256Digest] = []
        for (index, entry) in list.enumerated() {
            guard Int(entry.part.value) == index + 1, entry.size == whole.bytes(of: entry.part), !entry.etag.isEmpty,
                let digest = entry.digest
            else {
                let message = "entry \(index + 1) of the list is not that part, whole and with digest and ETag"
                return SessionRefused(.listInvalid, message: message)
            }
            digests.append(digest)
        }
        guard context.cryptography.rootDigest(of: digests) == complete.root else {
            return SessionRefused(.rootMismatch, message: "the digests of the parts do not give the root digest")
        }
        return nil
    }

    mutating func receivedCompletionAnswer(
        _ answer: StoreAnswer, _ completion: Completion, _ context: inout GatewayContext
    ) {
        switch (completion.step, answer) {
        case (.comparing, .parts(let listing)):
            compare(listing, completion, &context)
        case (.completing, .objectStored(let receipt)):
            let isVerified = evidence.covers(completion.list)
            settle(
                receipt.proven(by: completion.content, isVerified: isVerified), bytes: completion.complete.size,
                &context)
        case (.completing, .failed(.partsInvalid(let named))):
            // Only listed parts can be sent again, and each once, whatever the store names.
            let named = Set(named)
            let listed = completion.list.map(\.part).filter(named.contains)
            let suspects = listed.isEmpty ? completion.unlisted : listed
            want(suspects.isEmpty ? completion.list.map(\.part) : suspects, &context)
        case (.looking, .object(let object)):
            guard !ends(with: object, content: completion.content, &context) else { return }
            completeInStore(completion, &context)
        case (_, .failed(.uploadUnknown)):
            // Without an earlier COMPLETE, and with no request of this one that may still be at work, nobody makes it.
            let isPatient = !completion.complete.isFirst || completion.attempts > 1
            search(.uploadUnknown, isPatient: isPatient, content: completion.content, &context)
        case (.completing, .failed(.keyTaken)), (.completing, .failed(.objectGone)):
            // Perhaps by an earlier attempt of this very session, whose answer was lost.
            search(.conditionFailed, retry: .completion(completion), content: completion.content, &context)
        case (.completing, .failed(.conflict)):
            search(.conflict, retry: .completion(completion), content: completion.content, &context)
        case (.completing, .failed(.outcomeUnknown)):
            var next = completion
            next.step = .looking
            completeAgain(next, &context)
        case (_, .failed(.unavailable(let retryAfter))) where completion.attempts < context.limits.completionAttempts:
            var next = completion
            if next.step != .completing { next.attempts += 1 }
            next.resumesAt = context.now + max(retryAfter, .milliseconds(250 << min(next.attempts, 6)))
            phase = .completing(next)
        default:
            // The upload is still there: the agent resumes and completes again when the store is back.
            fail(answer.refusal(in: .session), &context)
        }
    }

    private mutating func compare(
        _ listing: [PartListEntry], _ completion: Completion, _ context: inout GatewayContext
    ) {
        var listed: [PartNumber: PartListEntry] = [:]
        for entry in listing { listed[entry.part] = entry }
        evidence.listed(listing)
        let overwritten = completion.list.filter { entry in
            guard let known = listed[entry.part] else { return false }
            // The store has checked the digests of its own listing; elsewhere a digest may be an agent's word.
            let isOfOtherContent = known.digest != nil && known.digest != entry.digest
            return isOfOtherContent || !known.isSameAsStored(entry)
        }
        guard overwritten.isEmpty else { return want(overwritten.map(\.part), &context) }
        var next = completion
        next.unlisted = completion.list.map(\.part).filter { listed[$0] == nil }
        prepareCompletion(next, &context)
    }

    /// Completes the upload, after a look at the key where the store does not check the condition, or where nobody has
    /// looked what may be replaced.
    mutating func prepareCompletion(_ completion: Completion, _ context: inout GatewayContext) {
        let isUnseen = facts.terms.condition != .absent && seen == .unknown
        guard isUnseen || mustLookBefore(context.limits.conditions.complete, with: putCondition) else {
            return completeInStore(completion, &context)
        }
        var next = completion
        next.step = .looking
        completeAgain(next, &context)
    }

    /// Goes on at the step that is still to be answered.
    mutating func completeAgain(_ completion: Completion, _ context: inout GatewayContext) {
        guard let upload = facts.upload else { return fail(.defect("the session has no upload"), &context) }
        var next = completion
        next.resumesAt = nil
        let question: StoreRequest
        switch next.step {
        case .completing: return prepareCompletion(next, &context)
        case .comparing: question = .listParts(key: facts.key, upload: upload)
        case .looking: question = .lookUpObject(key: facts.key, plan: plan)
        }
        phase = .completing(next)
        request = context.request(question, for: id)
    }

    private mutating func completeInStore(_ completion: Completion, _ context: inout GatewayContext) {
        guard let upload = facts.upload else { return fail(.defect("the session has no upload"), &context) }
        guard completion.attempts < context.limits.completionAttempts else {
            return fail(
                SessionRefused(
                    .storeUnavailable, retryAfter: .seconds(1), message: "the store did not complete the file"),
                &context)
        }
        var next = completion
        next.step = .completing
        next.attempts += 1
        next.resumesAt = nil
        phase = .completing(next)
        request = context.request(
            .complete(
                key: facts.key, upload: upload, parts: completion.list, size: completion.complete.size,
                condition: putCondition),
            for: id)
    }

    /// The store holds these parts in another form, or not at all: they are to be sent again.
    private mutating func want(_ wanted: [PartNumber], _ context: inout GatewayContext) {
        for part in wanted { stored[part] = nil }
        phase = .open
        for index in attached.indices where attached[index].awaits == .outcome {
            attached[index].awaits = .nothing
            context.slotChanges.append(.open(attached[index].attachment))
            context.send(.partsWanted(PartsWanted(parts: wanted.sorted())), to: attached[index].attachment)
        }
        answerAllNowOpen(&context)
        decideWaitingParts(&context)
    }
}
