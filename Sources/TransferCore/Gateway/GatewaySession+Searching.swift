import WireProtocol

// Looking for the object of a session after the store's answer to a write left it open what the key holds. The
// patience stands here, so that no caller can forget it.

extension GatewaySession {
    struct Search: Equatable {
        /// What the store said.
        enum Cause: Equatable {
            /// It does not know the upload. Another gateway may be completing it, and the store hide it meanwhile.
            case uploadUnknown
            /// The key held an object, or another one than was named, or none any more.
            case conditionFailed
            /// Another request for the key was under way, which may have been this session's own. Where the key holds
            /// nothing after some looks, the same request is sent again; if the other one has taken the upload away
            /// meanwhile, the store says so.
            case conflict
        }

        /// What is written again where the key turns out to hold nothing that forbids it.
        enum Retry: Equatable {
            case nothing
            case completion(Completion)
            /// The part's bytes are gone: the agent sends them again.
            case onePart(owner: Attachment?)
        }

        let cause: Cause
        /// Whether an object of this session may still appear, because another request may be making it.
        var isPatient = true
        var retry = Retry.nothing
        var checks = 0
        /// Until then an object of this session may still appear; set when the search begins.
        var patientUntil = Instant(nanoseconds: 0)
        /// When to look again; `nil` while the store is being asked.
        var resumesAt: Instant?
        /// The root digest of several parts, or the digest of one, where completion was under way: equal content is
        /// evidence too.
        var root: SHA256Digest?
        var onePartDigest: SHA256Digest?
    }

    mutating func search(_ search: Search, _ context: inout GatewayContext) {
        dropAllParts(&context)
        var search = search
        search.patientUntil =
            search.isPatient && search.cause == .uploadUnknown
            ? context.now + context.limits.completionTimeMax : context.now
        lookForObject(search, &context)
    }

    mutating func lookForObject(_ search: Search, _ context: inout GatewayContext) {
        var search = search
        search.checks += 1
        search.resumesAt = nil
        phase = .searching(search)
        request = context.request(.lookUpObject(key: facts.key, plan: plan), for: id)
    }

    mutating func receivedSearchResult(_ answer: StoreAnswer, _ search: Search, _ context: inout GatewayContext) {
        guard case .object(let object) = answer else { return fail(answer.refusal, &context) }
        if let object, isOurs(object, root: search.root, onePartDigest: search.onePartDigest) {
            let leavesUpload = search.cause != .uploadUnknown && object.session == nil
            return settle(object.receipt, bytes: object.size, leavesUpload: leavesUpload, &context)
        }
        seen = KeyView(object)
        if let object, !mayReplace(object) { return answerExisting(object, &context) }
        if search.cause == .conditionFailed { return writeAgain(search.retry, &context) }
        let goesOn = search.checks < context.limits.lossChecks || context.now < search.patientUntil
        guard goesOn else {
            return search.cause == .conflict ? writeAgain(search.retry, &context) : becomeLost(&context)
        }
        var next = search
        next.resumesAt = context.now + context.limits.lossCheckInterval * min(search.checks, 10)
        phase = .searching(next)
    }

    /// Whether another gateway may be completing the upload at this moment. It needs every part; so those that are not
    /// stored yet, as far as this gateway knows, must all be on their way.
    var mayBeCompletedElsewhere: Bool {
        guard let count = plan.partCount else { return true }
        return stored.count + parts.count >= Int(count)
    }

    private mutating func writeAgain(_ retry: Search.Retry, _ context: inout GatewayContext) {
        switch retry {
        case .nothing:
            becomeLost(&context)
        case .completion(let completion):
            prepareCompletion(completion, &context)
        case .onePart(let owner):
            becomeOpen(&context)
            guard let number = PartNumber(1), let owner, attached.contains(where: { $0.attachment == owner }) else {
                return
            }
            let refusal = SessionRefused(.partInterrupted, message: "the object under the key has changed")
            reportPart(number, refusal, to: owner, &context)
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
}
