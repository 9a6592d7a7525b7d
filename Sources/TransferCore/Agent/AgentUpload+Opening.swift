import TransferCommon
import WireProtocol

// What an upload asks a gateway when it has a slot.

extension AgentUpload {
    func sendOpen(to attachment: Attachment, _ context: inout AgentContext) {
        guard let session, let plan, let stamp else { return }
        let terms = SessionTerms(
            key: request.key, size: plan.fileBytes, partBytes: plan.partBytes, modification: stamp.modification,
            condition: condition, metadata: metadata)
        let compares = !request.isStream && policy != .fail && !isSettled
        let open = SessionOpen(session: session, terms: terms, compares: compares, asksForReceipt: request.wantsReceipt)
        context.send(.sessionOpen(open), to: attachment)
    }

    func sendResumeQuery(to attachment: Attachment, joining: Bool = false, _ context: inout AgentContext) {
        let entries = joining ? [] : stored.list
        let query = ResumeQuery(
            listedParts: UInt32(clamping: entries.count), token: token, asksForPartials: !joining && !named.isComplete,
            asksForReceipt: request.wantsReceipt)
        context.send(.resumeQuery(query), to: attachment)
        guard !entries.isEmpty else { return }
        for page in PartList.pages(of: entries) { context.send(.partList(page), to: attachment) }
    }

    /// A part that is on its way at once, whatever the concurrency (`AgentLimits.smallPartBytes`).
    func isSmall(_ context: AgentContext) -> Bool {
        guard let plan, let fileBytes = plan.fileBytes else { return false }
        return plan.isOnePart && fileBytes <= context.limits.smallPartBytes
    }

    /// Whether parts may be offered before the gateway has answered RESUME QUERY or SESSION OPEN. Behind the latter not
    /// where an object may be there that is worth a comparison first.
    func mayOfferEarly(_ context: AgentContext) -> Bool {
        if phase == .resuming { return true }
        guard phase == .opening, !isDropping, let plan else { return false }
        switch policy {
        case .verify, .fail: return !request.wasStoredBefore && isSmall(context)
        case .replace: return plan.isOnePart && (isSettled || !request.wasStoredBefore)
        }
    }
}

extension AgentUpload.Link {
    /// Whether SESSION OPEN or RESUME QUERY has not been answered.
    var isUnanswered: Bool { stage == .opening || stage == .resuming }
}
