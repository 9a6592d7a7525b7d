import TransferCommon

/// One part on its way from the file to the gateway.
struct AgentPart: Hashable {
    enum Stage: Hashable {
        /// The shell reads and hashes it.
        case reading
        /// Hashed; to be offered, not before a moment.
        case ready(notBefore: Instant)
        /// Offered; data goes as credit allows.
        case sending
        /// All its bytes are with the socket; the store's word is awaited.
        case sent
    }

    /// Of a stream, what was asked for until it has been read.
    var size: UInt64
    var stage: Stage
    var digest: SHA256Digest?
    var md5: MD5Digest?
    /// Whether it counts against the concurrency.
    var isCounted: Bool
    /// Where it was offered, and which of all offers that was.
    var attachment: Attachment?
    var attempt = OfferID(0)
    /// Plain bytes handed to the connection, and those that its socket has taken.
    var handed: ByteOffset = 0
    var taken: ByteOffset = 0
    /// The agent may send bytes below it; at most the part's size. `nil` while the gateway has not decided.
    var limit: ByteOffset?
    /// Bytes sent before a decision: they weigh on the connection's initial credit.
    var earlyBytes: UInt64 = 0
    /// Highest offset that any attempt has written to a socket: what goes beyond it is progress.
    var mostTaken: ByteOffset = 0
    /// Failures since the store took a part of the session, for the back-off.
    var failures = 0
    /// It was deferred, or its bytes did not arrive as they should: its data waits for a decision.
    var wasDeferred = false
    /// How often its bytes did not arrive as they had been hashed.
    var mismatches = 0
    /// It is not offered yet because of the store.
    var waitsForStore = false
}
