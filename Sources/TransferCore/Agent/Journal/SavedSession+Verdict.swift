import TransferCommon
import WireProtocol

// Whether the session of an earlier run can be continued. That depends on the user's options in this run and on the
// file as it is now.

extension SavedSession {
    /// What becomes of the session when its file is submitted again.
    enum Verdict: Hashable, Sendable {
        /// The user wants the session dropped, or the file is gone.
        case drop
        /// An earlier run read from a stream, which cannot be read again.
        case streamIsGone
        /// The journal's row is damaged.
        case isDamaged
        /// The user's options in this run do not allow the terms of the session.
        case isNotAllowed(FileStamp.Difference)
        /// The session may be continued if the content is still the same.
        case isAllowed(FileStamp.Difference)
    }

    /// How the file was divided.
    var plan: PartPlan? { PartPlan(fileBytes: stamp.size, partBytes: partBytes) }

    /// Whether an earlier run may have sent COMPLETE. The journal does not record that. If a file has several parts,
    /// the journal has all of them before the agent sends COMPLETE. If it has one part, the journal has neither the
    /// part nor the session's token.
    var mayBeCompleted: Bool {
        // After a loss the journal no longer has the parts of the lost session, so COMPLETE may have been sent.
        guard let plan, losses == 0 else { return true }
        if token.isEmpty { return plan.isOnePart }
        return plan.partCount.map(Int.init) == parts.count && parts.reduce(0) { $0 &+ $1.size } == stamp.size
    }

    func verdict(for request: UploadRequest) -> Verdict {
        guard request.purpose != .abort, let now = request.stamp else { return .drop }
        if request.isStream { return .streamIsGone }
        if plan == nil { return .isDamaged }
        let difference = stamp.difference(betweenRuns: now)
        return isAllowed(by: request, difference) ? .isAllowed(difference) : .isNotAllowed(difference)
    }

    /// Whether this run may continue the session, whose write condition and metadata are fixed for its life. A push
    /// must have the same metadata, and options that allow the condition. A resume has no options: it continues the
    /// session, unless that replaces an older object by the grown file and the file has changed since.
    private func isAllowed(by request: UploadRequest, _ difference: FileStamp.Difference) -> Bool {
        guard request.purpose == .push else { return !policy.isContinuation(condition) || difference == .none }
        guard metadata == request.metadata else { return false }
        switch (request.policy, condition) {
        case (.replace, .absent): return false
        case (.replace, _), (_, .absent): return true
        // The session replaces the file's earlier object, because the file had grown. It may continue only if the file
        // has not changed since.
        case (.verify, .matches): return policy == .verify && difference == .none
        case (.verify, .any), (.fail, _): return false
        }
    }
}
