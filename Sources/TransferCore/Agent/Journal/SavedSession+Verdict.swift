import TransferCommon
import WireProtocol

// Whether the session of an earlier run can be continued: the user's word of this run and the file of now decide.

extension SavedSession {
    /// What becomes of the session when its file is submitted again.
    enum Verdict: Hashable, Sendable {
        /// The user wants it dropped, or the file is gone.
        case drop
        /// What another run read of a stream cannot be read again.
        case streamIsGone
        /// The journal's row is damaged.
        case isDamaged
        /// The user's word of this run does not allow the terms of the session.
        case isNotAllowed(FileStamp.Difference)
        /// The session may be continued if the content is still the same.
        case isAllowed(FileStamp.Difference)
    }

    /// How the file was divided.
    var plan: PartPlan? { PartPlan(fileBytes: stamp.size, partBytes: partBytes) }

    func verdict(for request: UploadRequest) -> Verdict {
        guard request.purpose != .abort, let now = request.stamp else { return .drop }
        if request.isStream { return .streamIsGone }
        if plan == nil { return .isDamaged }
        let difference = stamp.difference(betweenRuns: now)
        return isAllowed(by: request, difference) ? .isAllowed(difference) : .isNotAllowed(difference)
    }

    /// The terms of a session, its write condition and its metadata, are fixed for its life.
    private func isAllowed(by request: UploadRequest, _ difference: FileStamp.Difference) -> Bool {
        guard request.purpose == .push else { return !policy.isContinuation(condition) || difference == .none }
        guard metadata == request.metadata else { return false }
        switch (request.policy, condition) {
        case (.replace, .absent): return false
        case (.replace, _), (_, .absent): return true
        // The file's earlier object may be replaced for as long as the file is the one that was found to have grown.
        case (.verify, .matches): return policy == .verify && difference == .none
        case (.verify, .any), (.fail, _): return false
        }
    }
}
