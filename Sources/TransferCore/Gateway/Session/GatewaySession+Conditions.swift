import TransferCommon
import WireProtocol

// The write condition (specification §6.3): what a session does after a look at its key. `WriteGuard` judges what the
// look has found.

extension GatewaySession {
    /// Applies a look at the key. The session ends if the object is its own, if the session must not replace the
    /// object, or if the agent compares the file with the object before it sends anything.
    ///
    /// - Parameters:
    ///   - content: evidence of the content that the session's own object would have; `.none` while it is not known.
    ///   - isUploadGone: the store has said that it does not know the session's upload.
    /// - Returns: whether the session has ended.
    mutating func ends(
        with object: ObjectSummary?, content: ContentEvidence = .none, isUploadGone: Bool = false,
        _ context: inout GatewayContext
    ) -> Bool {
        let isFirst = phase == .opening(.lookingUp)
        let result = writeGuard.looked(object, content: content, isUploadGone: isUploadGone, isFirst: isFirst)
        guard let object else { return false }
        switch result {
        case .own(let leavesUpload):
            settle(
                object.storedObject(partBytes: plan.partBytes), bytes: object.size, leavesUpload: leavesUpload, &context
            )
            return true
        case .exists:
            answerExisting(object, &context)
            return true
        case .free: return false
        }
    }

    /// Whether the session still waits for the answer to a look at the key.
    func awaitsLook(_ request: StoreRequestID) -> Bool {
        self.request == request || parts.number(ofLook: request) != nil
    }

    /// Whether the session has only looked at the key so far, and no slot waits for it any more. If the session has
    /// several parts, no agent will ask for it again: agents open such a session again with another id.
    var isLookAbandoned: Bool { phase == .opening(.lookingUp) && attached.isEmpty && !isOnePart }
}
