import TransferCommon

/// Which connection sends the next chunk, and when, if the rate of the agent is limited (`AgentLimits.bytesPerSecond`).
///
/// The connections share a limited rate: they send one chunk each in turn, and the next round begins behind the
/// connection that sent last.
struct ChunkPacer: Hashable, Sendable {
    /// The connections in the order of one round.
    struct Round: Hashable {
        private let connections: [ConnectionID]
        private var index: Int
        /// Connections in a row that had nothing to send.
        private var idleCount = 0

        fileprivate init(_ connections: [ConnectionID], behind last: ConnectionID) {
            self.connections = connections
            self.index = connections.firstIndex { last < $0 } ?? 0
        }

        /// The connection whose turn it is; `nil` once none has anything to send.
        var next: ConnectionID? { idleCount < connections.count ? connections[index] : nil }

        /// The connection has had its turn.
        mutating func tookTurn(hasSent: Bool) {
            idleCount = hasSent ? 0 : idleCount + 1
            index = (index + 1) % connections.count
        }
    }

    private var limiter: RateLimiter
    /// The connection that sent last.
    private var last = ConnectionID(0)

    init(bytesPerSecond: UInt64?, now: Instant) {
        self.limiter = RateLimiter(bytesPerSecond: bytesPerSecond, now: now)
    }

    var isLimited: Bool { limiter.bytesPerSecond != nil }

    func maySend(at now: Instant) -> Bool { limiter.readyAt(now: now) <= now }

    /// When the next chunk may go out; `nil` if it may now.
    func nextDeadline(now: Instant) -> Instant? {
        let ready = limiter.readyAt(now: now)
        return ready > now ? ready : nil
    }

    func round(of connections: [ConnectionID]) -> Round { Round(connections, behind: last) }

    /// A connection sends a chunk. Compression may make the chunk smaller. Until its size is known, no connection sends
    /// what the chunk may need.
    mutating func sent(_ plainBytes: UInt64, on connection: ConnectionID, now: Instant) {
        limiter.spent(plainBytes, now: now)
        if isLimited { last = connection }
    }

    /// The size of a chunk on the wire is known.
    mutating func encoded(plainBytes: UInt32, wireBytes: UInt64, now: Instant) {
        limiter.giveBack(UInt64(plainBytes), now: now)
        limiter.spent(wireBytes, now: now)
    }

    /// A chunk will not be sent.
    mutating func failed(plainBytes: UInt32, now: Instant) { limiter.giveBack(UInt64(plainBytes), now: now) }
}
