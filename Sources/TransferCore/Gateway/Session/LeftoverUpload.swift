import TransferCommon

/// The upload that is left in the store when its session has ended without using it. The store drops the upload, and
/// then removes the session's record.
///
///     from      event                                              to
///     idle      the session ends and leaves its upload             dropping
///     dropping  the store has dropped the upload                   listing
///     dropping  the store does not know the upload, or fails       idle
///     listing   the store lists what is left of it, or fails       idle
///
/// - If the store may still hold parts of the upload, the record stays, so that the store's cleaning finds them.
/// - Nothing is repeated: what fails here is left to the store's cleaning.
package struct LeftoverUpload: Hashable, Sendable {
    /// The phases of the upload that is left. Each names the request whose answer it waits for.
    package enum Phase: Hashable, Sendable {
        case idle
        case dropping(StoreRequestID)
        case listing(StoreRequestID)
    }

    /// What the session does after an answer.
    package enum OnAnswer: Hashable, Sendable {
        /// The session asks the store what is left of the upload, and calls `lists`.
        case list
        case removeRecord
        case nothing
    }

    package private(set) var phase = Phase.idle

    /// The state before the session has ended.
    package init() {}

    package var isIdle: Bool { phase == .idle }

    /// Whether a request is the one that the machine waits for.
    package func awaits(_ request: StoreRequestID) -> Bool {
        switch phase {
        case .idle: false
        case .dropping(let asked), .listing(let asked): asked == request
        }
    }

    /// Waits for the store's answer to the request that drops the upload.
    package mutating func drops(_ request: StoreRequestID) {
        phase = .dropping(request)
    }

    /// Waits for the store's answer to the request that lists what is left of the upload.
    package mutating func lists(_ request: StoreRequestID) {
        phase = .listing(request)
    }

    /// Judges the store's answer. `mayLand`: a request that was given up has no answer, and may still store a part.
    package mutating func answered(_ answer: StoreAnswer, mayLand: Bool) -> OnAnswer {
        phase = .idle
        switch answer {
        case .done: return .list
        case .failed(.uploadUnknown), .parts([]): return mayLand ? .nothing : .removeRecord
        default: return .nothing
        }
    }
}
