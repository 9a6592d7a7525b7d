import TransferCommon
import WireProtocol

// Looking for the object of a session after the store's answer to a write left it open what the key holds. The
// patience stands here, so that no caller can forget it.

extension GatewaySession {
    struct Search: Hashable {
        /// What the store said.
        enum Cause: Hashable {
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
        enum Retry: Hashable {
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
        /// What the session's object holds, where its completion was under way: then equal content tells it, too.
        var content = ContentEvidence.none
    }

    mutating func search(_ search: Search, _ context: inout GatewayContext) {
        // Offers that wait for the session to open are decided, or their slots closed, when the search has ended.
        for number in parts.keys.sorted() where parts[number]?.isUndecided == false { dropPart(number, &context) }
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
        guard case .object(let object) = answer else { return fail(answer.refusal(in: .session), &context) }
        let isUploadGone = search.cause == .uploadUnknown
        guard !ends(with: object, content: search.content, isUploadGone: isUploadGone, &context) else { return }
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
    /// stored yet, as far as this gateway knows, must all be on their way. An agent that resumes lists all of them
    /// where it may have sent COMPLETE (specification §9.1).
    var mayBeCompletedElsewhere: Bool {
        guard let count = plan.partCount else { return true }
        let lists = attached.map { if case .resumeState(let parts, _) = $0.awaits { parts.count } else { 0 } }
        let listed = lists.max() ?? 0
        let underWay = parts.values.count { !$0.isUndecided }
        return max(stored.count + underWay, listed) >= Int(count)
    }

    private mutating func writeAgain(_ retry: Search.Retry, _ context: inout GatewayContext) {
        switch retry {
        case .nothing:
            becomeLost(&context)
        case .completion(let completion):
            prepareCompletion(completion, &context)
        case .onePart(let owner):
            if let number = PartNumber(1), parts[number] == nil {
                let refusal = SessionRefused(.partInterrupted, message: "the object under the key has changed")
                reportPart(number, refusal, to: owner, &context)
            }
            becomeOpen(&context)
        }
    }
}
