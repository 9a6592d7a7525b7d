import TransferCommon

// The put limit (specification §9.2): a request that stores a one-part file may take effect for a while after its
// connection has ended. Until then no other version of the file is written under the key.

extension AgentUpload {
    /// The wait for the put limit. How long the limit is, only a gateway can tell.
    enum PutLimitWait: Hashable {
        case none
        /// Counts from the moment at which a gateway has told the limit.
        case whole
        /// Counts from a moment by which a part of the limit had passed.
        case counting(from: Instant, passed: Duration)
    }

    /// Waits for what is left of the limit before a session is begun.
    mutating func waitForPutLimit(_ limit: Duration, _ context: inout AgentContext) {
        var rest = limit
        if case .counting(let start, let passed) = putLimitWait { rest -= context.now.since(start) + passed }
        putLimitWait = .none
        let end = context.now + max(rest, .zero)
        putLimitEndsAt = end
        phase = .waiting(.open, until: end)
        if rest > .zero { context.actions.append(.report(id, .waitingForEarlierVersion(rest))) }
    }

    func waitsForPutLimit(_ now: Instant) -> Bool { putLimitEndsAt.map { $0 > now } ?? false }
}

extension UploadOutcome {
    /// Whether the journal's row is deleted although the outcome of the session's last request is not known.
    var forgetsUnknownOutcome: Bool {
        switch self {
        case .stored: false
        case .dropped: true
        case .failed(let failure): !failure.isKept
        }
    }
}
