import TransferCommon
import WireProtocol

// Looking for the object of a session after the store's answer to a write left open what the key holds. `ObjectSearch`
// decides how often the session looks; this file applies each result to the session.

extension GatewaySession {
    /// A search, and what the session does after it.
    struct Search: Hashable {
        /// What the session writes again if the key holds nothing that forbids it.
        enum Retry: Hashable {
            case nothing
            case completion(Completion)
            /// The one part of the file. The gateway no longer has its bytes, so the agent sends them again.
            case onePart(owner: Attachment?)
        }

        var looks: ObjectSearch
        let retry: Retry
        /// Evidence of the content of the session's object, if its completion was under way. Then an object with this
        /// content counts as the session's, too.
        let content: ContentEvidence
    }

    /// Begins to look for the session's object.
    ///
    /// - Parameter isPatient: whether another gateway may be completing the upload.
    mutating func search(
        _ cause: ObjectSearch.Cause, isPatient: Bool = true, retry: Search.Retry = .nothing,
        content: ContentEvidence = .none, _ context: inout GatewayContext
    ) {
        // Only decided parts are dropped. Undecided offers stay until the search ends, which decides them or closes
        // their slots.
        for number in parts.numbers(where: { !$0.isUndecided }) { dropPart(number, &context) }
        let patience = isPatient ? context.limits.completionTimeMax : .zero
        let looks = ObjectSearch(cause: cause, patience: patience, now: context.now)
        lookForObject(Search(looks: looks, retry: retry, content: content), &context)
    }

    /// The pause before the next look is over.
    mutating func lookAgain(_ search: Search, _ context: inout GatewayContext) {
        var search = search
        search.looks.resumed()
        lookForObject(search, &context)
    }

    private mutating func lookForObject(_ search: Search, _ context: inout GatewayContext) {
        phase = .searching(search)
        request = context.request(.lookUpObject(key: facts.key, plan: plan), for: id)
    }

    mutating func receivedSearchResult(_ answer: StoreAnswer, _ search: Search, _ context: inout GatewayContext) {
        guard case .object(let object) = answer else { return fail(answer.refusal(in: .session), &context) }
        let isUploadGone = search.looks.cause == .uploadUnknown
        guard !ends(with: object, content: search.content, isUploadGone: isUploadGone, &context) else { return }
        var search = search
        let limits = context.limits
        let result = search.looks.foundNothing(
            looksMin: limits.lossChecks, interval: limits.lossCheckInterval, now: context.now)
        switch result {
        case .pause: phase = .searching(search)
        case .writeAgain: writeAgain(search.retry, &context)
        case .lost: becomeLost(&context)
        }
    }

    /// Whether another gateway may be completing the upload now. A completion needs every part. So this is possible
    /// only if this gateway knows each part as stored or is receiving it, or if the agent has listed all parts. An
    /// agent that may have sent COMPLETE lists all parts when it resumes (specification §9.1).
    var mayBeCompletedElsewhere: Bool {
        guard let count = plan.partCount else { return true }
        return max(stored.entries.count + parts.decidedCount, attached.listedMax) >= Int(count)
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
