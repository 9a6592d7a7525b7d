import TransferCommon
import WireProtocol

// What an upload asks a gateway when it has a slot.

extension AgentUpload {
    func sendOpen(to place: Attachment, _ context: inout AgentContext) {
        guard let session, let plan, let stamp else { return }
        let terms = SessionTerms(
            key: request.key, size: plan.fileBytes, partBytes: plan.partBytes, modification: stamp.modification,
            condition: condition, metadata: metadata)
        let compares = !request.isStream && policy != .fail && !isSettled
        let open = SessionOpen(session: session, terms: terms, compares: compares, asksForReceipt: request.wantsReceipt)
        context.send(.sessionOpen(open), to: place)
    }

    func sendResumeQuery(to place: Attachment, joining: Bool = false, _ context: inout AgentContext) {
        let entries = joining ? [] : parts.stored.list
        let query = ResumeQuery(
            listedParts: UInt32(clamping: entries.count), token: token,
            asksForPartials: !joining && !parts.knowsPartials, asksForReceipt: request.wantsReceipt)
        context.send(.resumeQuery(query), to: place)
        guard !entries.isEmpty else { return }
        for page in PartList.pages(of: entries) { context.send(.partList(page), to: place) }
    }

    /// Whether the file is one part that does not count against the concurrency (`AgentLimits.smallPartBytes`).
    func isSmall(_ context: AgentContext) -> Bool {
        guard let plan, let fileBytes = plan.fileBytes else { return false }
        return plan.isOnePart && fileBytes <= context.limits.smallPartBytes
    }

    /// Whether parts may be offered before the gateway has answered RESUME QUERY or SESSION OPEN. Behind SESSION OPEN they
    /// may not if the key may hold an object that is worth a comparison first.
    func mayOfferEarly(_ context: AgentContext) -> Bool {
        if phase == .resuming { return true }
        guard phase == .opening, !lifecycle.isDropping, let plan else { return false }
        switch policy {
        case .verify, .fail: return !request.wasStoredBefore && isSmall(context)
        case .replace: return plan.isOnePart && (isSettled || !request.wasStoredBefore)
        }
    }
}
