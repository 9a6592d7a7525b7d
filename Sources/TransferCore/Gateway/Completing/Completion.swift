package import TransferCommon
package import WireProtocol

/// Completing a session of several parts in the store (specification §9.1).
///
///     from        event                                                       to
///     comparing   the store lists the parts as the agent does                 looking
///     comparing   as above, and no look is needed                             completing
///     comparing   the store lists a part in another form                      wanted
///     comparing   the store is unavailable                                    pausing
///     comparing   the store does not know the upload                          searching
///     comparing   the store fails otherwise                                   failed
///     looking     the key holds nothing that forbids the completion           completing
///     looking     the store is unavailable                                    pausing
///     looking     the store does not know the upload                          searching
///     looking     the store fails otherwise                                   failed
///     completing  the store has completed the object                          stored
///     completing  the outcome is unknown                                      looking
///     completing  the store does not find listed parts                        wanted
///     completing  a condition failed; a conflict; the upload is unknown       searching
///     completing  the store is unavailable                                    pausing
///     completing  the store fails otherwise; all attempts have failed         failed
///     pausing     the pause is over before a comparison                       comparing
///     pausing     the pause is over before a look, or a look is needed        looking
///     pausing     the pause is over before a completion                       completing
///
/// - `wanted`, `searching`, `stored` and `failed` are no phases: each ends the completion, and the session does the
///   rest.
/// - Exactly the ETags that the agent listed are completed, whatever else the store lists.
/// - An unknown upload or a failed condition may come from an earlier attempt of this session whose answer was lost. So
///   the completion judges neither, and the session searches for the object.
package struct Completion: Hashable, Sendable {
    /// One step of the completion: one question to the store.
    package enum Step: Hashable, Sendable {
        /// The store lists its parts, to be compared with the agent's list.
        case comparing
        /// The store looks up the key, before it completes the upload or to learn the outcome of an earlier attempt.
        case looking
        case completing
    }

    /// The phases of the completion. The table in the comment on `Completion` names each phase `asking` by its step.
    package enum Phase: Hashable, Sendable {
        case asking(Step)
        /// The step is repeated at this time.
        case pausing(Step, until: Instant)
    }

    /// What the session does after an answer.
    package enum OnAnswer: Hashable, Sendable {
        /// The session calls `prepare`, and then completes the upload or looks up the key.
        case prepare
        /// The session judges the object under the key, if any; if it can continue, it calls `completes`.
        case found(ObjectSummary?)
        /// The session looks up the key.
        case look
        /// The session asks nothing now: the step is repeated after a pause.
        case pause
        /// The agent sends these parts again: the store lacks them, or has other content or another ETag.
        case wanted([PartNumber])
        case stored(StoredObject)
        case search(ObjectSearch.Cause, isPatient: Bool)
        case failed
    }

    package let upload: String
    package let list: [PartListEntry]
    package let complete: Complete
    package private(set) var phase = Phase.asking(.comparing)
    /// How many times the store was asked to complete the upload, plus how many times another step failed.
    private var attempts = 0
    /// Whether there is evidence that every listed part has its digest, so that the gateway may sign the root digest.
    package private(set) var isVerified = false
    /// Parts that the agent lists and the store's listing lacks. The listing may lag, or the parts may be gone.
    private var unlisted: [PartNumber] = []

    /// Begins with the step `comparing`: the session has asked the store to list the parts of the upload.
    package init(of upload: String, list: [PartListEntry], complete: Complete) {
        self.upload = upload
        self.list = list
        self.complete = complete
    }

    /// Evidence of the content of the completed object.
    package var content: ContentEvidence { .root(complete.root) }

    /// The step that is under way, or during a pause the step that is repeated after the pause.
    package var step: Step {
        switch phase {
        case .asking(let step), .pausing(let step, _): step
        }
    }

    /// What the store is asked in this step. `condition`: what it checks when it completes the object.
    package func question(key: String, plan: PartPlan, condition: PutCondition) -> StoreRequest {
        switch step {
        case .comparing: .listParts(key: key, upload: upload)
        case .looking: .lookUpObject(key: key, plan: plan)
        case .completing:
            .complete(key: key, upload: upload, parts: list, size: complete.size, condition: condition)
        }
    }

    /// When `resumed` is due; `nil` except while pausing.
    package var nextDeadline: Instant? {
        guard case .pausing(_, let until) = phase else { return nil }
        return until
    }

    /// Judges the store's answer to the question of `step`.
    package mutating func answered(_ answer: StoreAnswer, attemptsMax: Int, now: Instant) -> OnAnswer {
        switch (step, answer) {
        case (.comparing, .parts(let listing)):
            return compare(listing)
        case (.completing, .objectStored(let object)):
            return .stored(object)
        case (.looking, .object(let object)):
            return .found(object)
        case (_, .failed(.uploadUnknown)):
            // Another request can be completing the upload only if this is not the first COMPLETE, or if an earlier
            // attempt of this completion may still take effect. If neither holds, the search need not wait for another
            // request.
            return .search(.uploadUnknown, isPatient: !complete.isFirst || attempts > 1)
        case (.completing, .failed(.keyTaken)), (.completing, .failed(.objectGone)):
            return .search(.conditionFailed, isPatient: true)
        case (.completing, .failed(.conflict)):
            return .search(.conflict, isPatient: true)
        case (.completing, .failed(.outcomeUnknown)):
            phase = .asking(.looking)
            return .look
        case (_, .failed(let error)):
            return failed(error, attemptsMax: attemptsMax, now: now)
        default:
            return .failed
        }
    }

    private mutating func failed(_ error: StoreError, attemptsMax: Int, now: Instant) -> OnAnswer {
        if step == .completing, case .partsInvalid(let named) = error.reason { return .wanted(suspects(named)) }
        guard let retryAfter = error.retryAfter, attempts < attemptsMax else { return .failed }
        if step != .completing { attempts += 1 }
        phase = .pausing(step, until: now + max(retryAfter, .milliseconds(250 << min(attempts, 6))))
        return .pause
    }

    /// Begins a look at the key if needed, or else the completion; `false` if that was tried `attemptsMax` times.
    package mutating func prepare(mustLook: Bool, attemptsMax: Int) -> Bool {
        guard mustLook else { return completes(attemptsMax: attemptsMax) }
        phase = .asking(.looking)
        return true
    }

    /// Begins the step in which the store completes the upload; returns `false` after `attemptsMax` attempts.
    package mutating func completes(attemptsMax: Int) -> Bool {
        guard attempts < attemptsMax else { return false }
        attempts += 1
        phase = .asking(.completing)
        return true
    }

    /// The pause is over: the session asks the question of `step` again. Before a completion it calls `prepare`.
    package mutating func resumed() {
        phase = .asking(step)
    }

    /// The store has listed its parts: notes whether its list or the session has evidence of each part.
    package mutating func noteEvidence(in listing: [PartListEntry], _ stored: StoredParts) {
        var named = PartSet()
        for entry in listing where entry.digest != nil { named.insert(entry.part) }
        // A part that the store lists with another digest is wanted again, and the completion ends.
        isVerified = list.allSatisfy { named.contains($0.part) || stored.hasEvidence(of: $0) }
    }

    private mutating func compare(_ listing: [PartListEntry]) -> OnAnswer {
        var listed: [PartNumber: PartListEntry] = [:]
        for entry in listing { listed[entry.part] = entry }
        let overwritten = list.filter { entry in
            guard let known = listed[entry.part] else { return false }
            // Compare digests only if the store's listing names one. The store itself has checked such a digest; a
            // digest from elsewhere may be an agent's claim.
            let isOfOtherContent = known.digest != nil && known.digest != entry.digest
            return isOfOtherContent || !known.isSameAsStored(entry)
        }
        guard overwritten.isEmpty else { return .wanted(overwritten.map(\.part)) }
        unlisted = list.map(\.part).filter { listed[$0] == nil }
        return .prepare
    }

    /// The parts that the agent sends again: those that the store's answer names, or else those that its listing
    /// lacks, or else all. The store may name a part twice, or one that the agent did not list, so its answer only
    /// selects from the list.
    private func suspects(_ named: [PartNumber]) -> [PartNumber] {
        let named = Set(named)
        let listed = list.map(\.part).filter(named.contains)
        let suspects = listed.isEmpty ? unlisted : listed
        return suspects.isEmpty ? list.map(\.part) : suspects
    }
}
