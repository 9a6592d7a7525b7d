package import TransferCommon
import WireProtocol

/// The search of a session for its object, and what the session does after it. `ObjectSearch` decides how often the
/// session looks.
package struct SessionSearch: Hashable, Sendable {
    /// What the session writes again if the key holds nothing that forbids it.
    package enum Retry: Hashable, Sendable {
        case nothing
        case completion(Completion)
        /// The one part of the file. The gateway no longer has its bytes, so the agent sends them again.
        case onePart(owner: Attachment?)
    }

    package private(set) var looks: ObjectSearch
    package let retry: Retry
    /// `.none` if no completion was under way. An object with this content counts as the session's own.
    private let content: ContentEvidence

    package init(looks: ObjectSearch, retry: Retry, content: ContentEvidence) {
        self.looks = looks
        self.retry = retry
        self.content = content
    }

    /// Asks the store to look up the key.
    package func ask(_ target: SessionTarget) -> SessionStep {
        .ask(.searching(self), target.lookUp)
    }

    /// Looks up the key again, after the pause.
    package mutating func resumed(_ target: SessionTarget) -> SessionStep {
        looks.resumed()
        return ask(target)
    }

    /// Judges the store's answer to the look at the key, and returns what the session does next.
    package mutating func step(
        after answer: StoreAnswer, _ target: inout SessionTarget, _ limits: GatewayLimits, now: Instant
    ) -> SessionStep {
        guard case .object(let object) = answer else { return .refuse(answer.refusal(in: .session)) }
        let isUploadGone = looks.cause == .uploadUnknown
        if let end = target.judge(object, content: content, isUploadGone: isUploadGone) { return end }
        let result = looks.foundNothing(
            looksMin: limits.lossChecks, interval: limits.lossCheckInterval, now: now)
        switch result {
        case .pause: return .rest(.searching(self))
        case .writeAgain: return writeAgain(target, limits)
        case .lost: return .lose
        }
    }

    private func writeAgain(_ target: SessionTarget, _ limits: GatewayLimits) -> SessionStep {
        switch retry {
        case .nothing: return .lose
        case .completion(var completion): return completion.prepare(target, limits)
        case .onePart(let owner): return .takeAgain(owner: owner)
        }
    }
}
