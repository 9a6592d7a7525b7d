import WireProtocol

// What the store's answers mean to a session that is opening, resuming, or looking for its object.

extension GatewaySession {
    /// Called by the gateway with each answer to a request of this session, once.
    ///
    /// - Parameter isBusy: whether another session is in use or at its end, and so not to be adopted.
    mutating func receivedAnswer(
        _ answer: StoreAnswer, to request: StoreRequestID, isBusy: (SessionID) -> Bool, _ context: inout GatewayContext
    ) {
        if let number = parts.first(where: { $0.value.request == request })?.key {
            return receivedPartAnswer(answer, part: number, &context)
        }
        if let digest = givenUp.removeValue(forKey: request), case .objectStored(let receipt) = answer, phase == .open {
            // A request that was given up has taken effect all the same: the object holds this session's bytes.
            return settle(receipt.proven(by: .wholeDigest(digest)), &context)
        }
        if leftover == request { return receivedLeftoverAnswer(answer, &context) }
        // What the phase does not wait for is the end of a request that was given up, or of removing a record:
        // cleaning finds what is left.
        guard self.request == request else { return }
        self.request = nil
        switch phase {
        case .lookingUp: receivedLookUp(answer, &context)
        case .findingRecords: receivedRecords(answer, isBusy: isBusy, &context)
        case .recording, .creating, .recordingUpload: receivedCreationStep(answer, &context)
        case .listing: receivedListing(answer, &context)
        case .searching(let search): receivedSearchResult(answer, search, &context)
        case .completing(let completion): receivedCompletionAnswer(answer, completion, &context)
        case .aborting(let abortion): receivedAbortAnswer(answer, abortion, &context)
        case .open, .settled, .ended: break
        }
    }

    private mutating func receivedLookUp(_ answer: StoreAnswer, _ context: inout GatewayContext) {
        switch answer {
        case .object(let object):
            if let object, object.session == id, plan.fileBytes == nil || object.size == plan.fileBytes {
                return settle(object.receipt, &context)
            }
            objectSession = object?.session
            if let object, let refusal = objection(to: object) { return answerExisting(object, refusal, &context) }
            if isOnePart {
                becomeOpen(&context)
            } else {
                phase = .findingRecords
                request = context.request(.findRecords(key: facts.key), for: id)
            }
        case .failed(let failure):
            fail(failure.refusal, &context)
        default:
            fail(SessionRefused(.internal), &context)
        }
    }

    private enum Objection {
        case exists
        case taken
    }

    /// What the policy says to an object that is under the key and is not this session's.
    private func objection(to object: ObjectFacts) -> Objection? {
        switch policy {
        case .verify: object.size == plan.fileBytes || plan.fileBytes == nil ? .exists : .taken
        case .replace: object.size == plan.fileBytes ? .exists : nil
        case .fail: .taken
        case .overwrite, nil: nil
        }
    }

    private mutating func answerExisting(
        _ object: ObjectFacts, _ objection: Objection, _ context: inout GatewayContext
    ) {
        guard objection == .exists else {
            return fail(SessionRefused(.keyTaken, message: "the key holds other content"), &context)
        }
        let exists = SessionExists(
            size: object.size, partBytes: object.partBytes, evidence: object.evidence, etag: object.etag,
            version: object.version)
        dropAllParts(&context)
        pendingCompletion = nil
        while !attached.isEmpty { self.answer(0, .sessionExists(exists), &context) }
        phase = .ended
    }

    private mutating func receivedRecords(
        _ answer: StoreAnswer, isBusy: (SessionID) -> Bool, _ context: inout GatewayContext
    ) {
        guard case .records(let records) = answer else { return fail(answer.refusal, &context) }
        if let own = records.first(where: { $0.label.session == id }) {
            // Without an upload id, an upload may be there that only cleaning finds, as long as its record says so.
            guard own.upload != nil, own.isSameFile(as: facts), own.label.partBytes == plan.partBytes else {
                return fail(SessionRefused(.sessionLost), &context)
            }
            facts.upload = own.upload
            return beginListing(&context)
        }
        if let other = records.first(where: { adoptable($0) && !isBusy($0.label.session) }) {
            return offerAdoption(of: other, &context)
        }
        phase = .recording
        request = context.request(.writeRecord(facts), for: id)
    }

    private func adoptable(_ record: SessionRecordFacts) -> Bool {
        // A record may outlast its session where removing it failed. A damaged one names no plan: its token would be
        // refused, and the agent be offered it again for ever.
        record.upload != nil && record.hasPlan && record.label.session != id && record.label.session != objectSession
            && record.isSameFile(as: facts)
    }

    private mutating func offerAdoption(of record: SessionRecordFacts, _ context: inout GatewayContext) {
        guard let token = context.token(for: record, device: device) else {
            return fail(SessionRefused(.internal), &context)
        }
        let opened = SessionOpened(
            session: record.label.session, partBytes: record.label.partBytes, token: token, isAdopted: true)
        dropAllParts(&context)
        while !attached.isEmpty { answer(0, .sessionOpened(opened), &context) }
        phase = .ended
    }

    private mutating func receivedCreationStep(_ answer: StoreAnswer, _ context: inout GatewayContext) {
        switch (phase, answer) {
        case (.recording, .done):
            phase = .creating
            request = context.request(.createUpload(key: facts.key, label: facts.label), for: id)
        case (.creating, .uploadCreated(let upload)):
            facts.upload = upload
            phase = .recordingUpload
            request = context.request(.writeRecord(facts), for: id)
        case (.recordingUpload, .done):
            context.actions.append(.note(.opened(id, device: device.name, key: facts.key)))
            becomeOpen(&context)
        default:
            fail(answer.refusal, &context)
        }
    }

    private mutating func receivedListing(_ answer: StoreAnswer, _ context: inout GatewayContext) {
        switch answer {
        case .parts(let entries):
            for entry in entries where plan.bytes(of: entry.part) != nil { stored[entry.part] = entry }
            context.actions.append(.note(.resumed(id, device: device.name, key: facts.key)))
            becomeOpen(&context)
        case .failed(.uploadUnknown):
            // Whoever has all parts stored may have had them completed elsewhere a moment ago.
            let isWhole = attached.contains { attached in
                guard case .resumeState(let listed) = attached.awaits else { return false }
                return UInt32(clamping: listed.count) == plan.partCount
            }
            search(Search(patientUntil: isWhole ? context.now + context.limits.completionTimeMax : nil), &context)
        default:
            fail(answer.refusal, &context)
        }
    }

    // MARK: Searching for the object of an upload that the store does not know

    mutating func search(_ search: Search, _ context: inout GatewayContext) {
        dropAllParts(&context)
        lookForObject(search, &context)
    }

    mutating func lookForObject(_ search: Search, _ context: inout GatewayContext) {
        var search = search
        search.checks += 1
        search.resumesAt = nil
        phase = .searching(search)
        request = context.request(.lookUpObject(key: facts.key, plan: plan), for: id)
    }

    private mutating func receivedSearchResult(
        _ answer: StoreAnswer, _ search: Search, _ context: inout GatewayContext
    ) {
        switch answer {
        case .object(let object):
            if let object, isOurs(object, root: search.root, onePartDigest: search.onePartDigest) {
                let leavesUpload = search.otherwise != nil && object.session == nil
                return settle(object.receipt, leavesUpload: leavesUpload, &context)
            }
            if let refusal = search.otherwise { return fail(refusal, &context) }
            // Another gateway may be completing this very upload: its object appears a moment later.
            let patientUntil = search.patientUntil ?? context.now
            guard search.checks < context.limits.lossChecks || context.now < patientUntil else {
                return becomeLost(&context)
            }
            var next = search
            next.resumesAt = context.now + context.limits.lossCheckInterval * min(search.checks, 10)
            phase = .searching(next)
        default:
            fail(answer.refusal, &context)
        }
    }

    /// Whether an object is this session's: by its session id, or by content where completion was under way.
    func isOurs(_ object: ObjectFacts, root: SHA256Digest?, onePartDigest: SHA256Digest? = nil) -> Bool {
        guard plan.fileBytes == nil || object.size == plan.fileBytes else { return false }
        let isSameContent: Bool? =
            switch object.evidence {
            case .root(let there) where object.partBytes == plan.partBytes: root.map { $0 == there }
            case .wholeDigest(let there): onePartDigest.map { $0 == there }
            case .root, .compositeMD5, .none: nil
            }
        // An agent with the same identity may have completed this very session with other content.
        guard isSameContent != false else { return false }
        return object.session.map { $0 == id } ?? (isSameContent == true)
    }

    // MARK: Resuming

    func resumeState(_ phase: ResumePhase) -> ResumeState {
        ResumeState(
            phase: phase, partBytes: plan.partBytes, candidateParts: 0, partials: [], wanted: [], token: [])
    }

    func sendResumeState(
        listed: [PartListEntry], token: [UInt8], to attachment: Attachment, _ context: inout GatewayContext
    ) {
        let named = Set(listed.map(\.part))
        // A connection that joins knows all that was stored here, but for what an offer's digest cannot prove.
        let joins = listed.isEmpty && attached.contains { $0.attachment != attachment && $0.awaits == .nothing }
        let candidates = stored.values.filter { !named.contains($0.part) && !(joins && $0.digest != nil) }
            .sorted { $0.part < $1.part }
        let wanted = listed.filter { entry in
            guard let known = stored[entry.part] else { return false }
            return !known.isSameAsStored(entry)
        }
        let partials = parts.sorted { $0.key < $1.key }.filter { $0.value.received > 0 }
            .prefix(1_024).map { PartialPart(part: $0.key, offset: $0.value.received) }
        let state = ResumeState(
            phase: .ongoing, partBytes: plan.partBytes, candidateParts: UInt32(clamping: candidates.count),
            partials: partials, wanted: wanted.map(\.part).sorted(), token: token)
        context.send(.resumeState(state), to: attachment)
        for page in PartList.pages(of: candidates) where !candidates.isEmpty {
            context.send(.partList(page), to: attachment)
        }
    }
}

extension SessionRecordFacts {
    /// Whether two sessions are uploads of the same version of the same file, as far as a record can say.
    func isSameFile(as other: SessionRecordFacts) -> Bool {
        device == other.device && hasKey(of: other) && fileBytes == other.fileBytes && fileBytes != nil
            && label.modification == other.label.modification
    }
}

extension SessionRecordFacts {
    fileprivate var hasPlan: Bool { PartPlan(fileBytes: fileBytes, partBytes: label.partBytes) != nil }

    /// Keys are bytes: texts that only look alike are two keys.
    func hasKey(of other: SessionRecordFacts) -> Bool { key.utf8.elementsEqual(other.key.utf8) }
}

extension StoreReceipt {
    /// What was completed from these very parts has their digest, whatever the store itself keeps of it.
    func proven(by evidence: ContentEvidence) -> StoreReceipt {
        var proven = self
        proven.evidence = evidence
        return proven
    }
}

extension ObjectFacts {
    var receipt: StoreReceipt { StoreReceipt(evidence: evidence, etag: etag, version: version) }
}

extension PartListEntry {
    /// Whether two statements are about the same stored part. Some stores write ETags with quotes in one place and
    /// without in another.
    func isSameAsStored(_ other: PartListEntry) -> Bool {
        size == other.size && etag.utf8.filter { $0 != 0x22 } == other.etag.utf8.filter { $0 != 0x22 }
    }
}
