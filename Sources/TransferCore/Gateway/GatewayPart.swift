import TransferCommon
import WireProtocol

/// One offered part on its way through the gateway.
struct GatewayPart: Hashable {
    var offer: PartOffer
    /// Whose data counts; `nil` while its connection is gone.
    var owner: Attachment?
    /// Since when it has had no owner.
    var orphanedAt: Instant?
    let flow: FlowID
    /// The store call that takes the bytes; `nil` while the part is undecided.
    var request: StoreRequestID?
    /// What the store call of a one-part file asks the store to check. It was said when the call began, and later
    /// looks at the key change nothing of it.
    var condition = PutCondition.none
    /// Plain bytes that arrived, and those of them that the store's side has taken.
    var received: ByteOffset = 0
    var consumed: ByteOffset = 0
    /// The end of the chunk that arrived last, or is still arriving.
    var announced: ByteOffset = 0
    /// What the agent may send up to.
    var limit: ByteOffset = 0
    /// Budget held.
    var reserved: UInt64 = 0
    var release = Release.held
    /// Where the part stood at the end of the last window; `nil` if something else than its agent was awaited since.
    var progressMark: ProgressMark?

    /// Whether the store may have the last bytes of a one-part file.
    enum Release: Hashable {
        case held
        /// COMPLETE is there, and the store is asked what the key holds.
        case looking(StoreRequestID)
        case released
    }

    /// What had arrived, and how much more the agent might have sent.
    struct ProgressMark: Hashable {
        var received: ByteOffset
        var credit: UInt64
    }

    var isUndecided: Bool { request == nil }
    var isWhole: Bool { received == offer.size }

    /// Called at the end of each window of progress.
    ///
    /// - Parameter creditBytes: what the part's agent might send of it now; 0 if something else is awaited.
    /// - Returns: what the part took in since the last call; `nil` if it is not measured over the whole window.
    mutating func measure(creditBytes: UInt64) -> ProgressCheck.Gain? {
        guard creditBytes > 0 else {
            progressMark = nil
            return nil
        }
        defer { progressMark = ProgressMark(received: received, credit: creditBytes) }
        return progressMark.map { mark in
            ProgressCheck.Gain(bytes: received - mark.received, creditBytes: mark.credit)
        }
    }
}
