import TransferCommon
import WireProtocol

// Completing a session of several parts (specification §9.1). The completion continues when the agent's connection
// ends.

extension GatewaySession {
    /// Called by the gateway for COMPLETE in a slot that is opening, resuming or open (specification §9.1).
    ///
    /// - Parameter list: the PART LIST pages that arrived in this slot since it became open, or since the last COMPLETE
    ///   in it; `nil` if their last page is missing.
    mutating func receivedComplete(
        _ complete: Complete, list: [PartListEntry]?, from attachment: Attachment, _ context: inout GatewayContext
    ) {
        guard let slot = attached[attachment] else { return }
        // Another slot's COMPLETE is being carried out already. This slot waits for the same outcome.
        if isCompleting, slot.phase == .open { return expectOutcome(at: attachment, &context) }
        let rule = CompleteRule(plan: plan, extent: extent)
        if let objection = rule.objection(to: complete) {
            return refuseCompletion(objection, to: attachment, &context)
        }
        if isOnePart { return receivedCompleteOfOnePart(complete, from: slot, &context) }
        guard let list else {
            let refusal = SessionRefused(.listInvalid, message: "COMPLETE without a whole list of the parts")
            return refuseCompletion(refusal, to: attachment, &context)
        }
        if let objection = rule.objection(
            to: list, of: complete, rootDigest: context.cryptography.rootDigest)
        {
            return refuseCompletion(objection, to: attachment, &context)
        }
        expectOutcome(at: attachment, &context)
        guard phase == .open else { return }  // The search for a lost upload brings the outcome.
        guard let upload = facts.upload else { return fail(.defect("the session has no upload"), &context) }
        dropAllParts(&context)
        ask(Completion(of: upload, list: list, complete: complete), &context)
    }

    /// Whether a COMPLETE of several parts has no outcome yet.
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
        guard attached[attachment] != nil else { return }
        answer(attachment, .error(refusal.asSessionError), &context)
    }

    // MARK: The store's answers

    mutating func receivedCompletionAnswer(
        _ answer: StoreAnswer, _ completion: Completion, _ context: inout GatewayContext
    ) {
        var completion = completion
        if completion.step == .comparing, case .parts(let listing) = answer { stored.compared(listing) }
        let result = completion.answered(answer, attemptsMax: context.limits.completionAttempts, now: context.now)
        switch result {
        case .prepare: prepareCompletion(completion, &context)
        case .found(let object):
            guard !ends(with: object, content: completion.content, &context) else { return }
            completeInStore(completion, &context)
        case .look: ask(completion, &context)
        case .pause: phase = .completing(completion)
        case .wanted(let parts): want(parts, &context)
        case .stored(let object):
            let isVerified = stored.prove(completion.list)
            settle(
                object.proven(by: completion.content, isVerified: isVerified), bytes: completion.complete.size,
                &context)
        case .search(let cause, let isPatient):
            let retry = cause == .uploadUnknown ? Search.Retry.nothing : .completion(completion)
            search(cause, isPatient: isPatient, retry: retry, content: completion.content, &context)
        case .failed:
            // The upload still exists. When the store answers again, the agent resumes the session and sends COMPLETE
            // again.
            fail(answer.refusal(in: .session), &context)
        }
    }

    /// The pause before the next step is over.
    mutating func completeAgain(_ completion: Completion, _ context: inout GatewayContext) {
        var completion = completion
        completion.resumed()
        if completion.step == .completing {
            prepareCompletion(completion, &context)
        } else {
            ask(completion, &context)
        }
    }

    /// Completes the upload. The session first looks up the key if the store does not check the write condition, or if
    /// the session does not know yet what it may replace.
    mutating func prepareCompletion(_ completion: Completion, _ context: inout GatewayContext) {
        let request = context.limits.conditions.complete
        let mustLook = writeGuard.isBlind || writeGuard.mustLook(before: request, asking: writeGuard.putCondition)
        var completion = completion
        guard completion.prepare(mustLook: mustLook, attemptsMax: context.limits.completionAttempts) else {
            return failCompletion(&context)
        }
        ask(completion, &context)
    }

    private mutating func completeInStore(_ completion: Completion, _ context: inout GatewayContext) {
        var completion = completion
        guard completion.completes(attemptsMax: context.limits.completionAttempts) else {
            return failCompletion(&context)
        }
        ask(completion, &context)
    }

    /// Asks the store the question of the completion's step.
    private mutating func ask(_ completion: Completion, _ context: inout GatewayContext) {
        let question = completion.question(key: facts.key, plan: plan, condition: writeGuard.putCondition)
        phase = .completing(completion)
        request = context.request(question, for: id)
    }

    private mutating func failCompletion(_ context: inout GatewayContext) {
        let refusal = SessionRefused(
            .storeUnavailable, retryAfter: .seconds(1), message: "the store did not complete the file")
        fail(refusal, &context)
    }

    /// The store holds these parts with other content or another ETag, or does not hold them: the agent sends them
    /// again.
    private mutating func want(_ wanted: [PartNumber], _ context: inout GatewayContext) {
        stored.wanted(wanted)
        phase = .open
        for attachment in attached.reopen() {
            context.slotChanges.append(.open(attachment))
            context.send(.partsWanted(PartsWanted(parts: wanted.sorted())), to: attachment)
        }
        answerAllNowOpen(&context)
        decideWaitingParts(&context)
    }
}
