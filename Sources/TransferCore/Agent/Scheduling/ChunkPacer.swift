package import TransferCommon

/// Which connection sends the next chunk, and when, if the agent's rate is limited (`AgentLimits.bytesPerSecond`). The
/// connections send one chunk each in turn, and the next round begins behind the connection that sent last.
package struct ChunkPacer: Hashable, Sendable {
    /// The connections in the order of one round.
    package struct Round: Hashable, Sendable {
        private let connections: [ConnectionID]
        private var index: Int
        /// Connections in a row that had nothing to send.
        private var idleCount = 0

        fileprivate init(_ connections: [ConnectionID], behind last: ConnectionID) {
            self.connections = connections
            self.index = connections.firstIndex { last < $0 } ?? 0
        }

        /// The connection whose turn it is; `nil` once no connection has anything to send.
        package var next: ConnectionID? { idleCount < connections.count ? connections[index] : nil }

        /// Passes the turn to the next connection.
        package mutating func tookTurn(hasSent: Bool) {
            idleCount = hasSent ? 0 : idleCount + 1
            index = (index + 1) % connections.count
        }
    }

    private var limiter: RateLimiter
    private var last = ConnectionID(0)

    /// - Parameter bytesPerSecond: on the wire, over all connections; `nil` for no limit.
    package init(bytesPerSecond: UInt64?, now: Instant) {
        self.limiter = RateLimiter(bytesPerSecond: bytesPerSecond, now: now)
    }

    /// Applies another limit from now on. Bytes that were sent under the earlier limit do not count.
    package mutating func limit(to bytesPerSecond: UInt64?, now: Instant) {
        // The bucket of an unchanged limit stays as full as it is. Otherwise each call would allow another burst.
        guard bytesPerSecond != limiter.bytesPerSecond else { return }
        limiter = RateLimiter(bytesPerSecond: bytesPerSecond, now: now)
    }

    /// Whether the rate is limited.
    package var isLimited: Bool { limiter.bytesPerSecond != nil }

    /// Whether the rate allows a chunk now.
    package func maySend(at now: Instant) -> Bool { limiter.readyAt(now: now) <= now }

    /// When the next chunk may be sent; `nil` if it may be sent now.
    package func nextDeadline(now: Instant) -> Instant? {
        let ready = limiter.readyAt(now: now)
        return ready > now ? ready : nil
    }

    /// A round of turns, which begins behind the connection that sent last.
    package func round(of connections: [ConnectionID]) -> Round { Round(connections, behind: last) }

    /// Counts a chunk against the rate, with its size before compression until its size on the wire is known.
    package mutating func sent(_ plainBytes: UInt64, on connection: ConnectionID, now: Instant) {
        limiter.spent(plainBytes, now: now)
        if isLimited { last = connection }
    }

    /// Corrects the rate, because the size of a chunk on the wire is known.
    package mutating func encoded(plainBytes: UInt32, wireBytes: UInt64, now: Instant) {
        limiter.giveBack(UInt64(plainBytes), now: now)
        limiter.spent(wireBytes, now: now)
    }

    /// A chunk will not be sent.
    package mutating func failed(plainBytes: UInt32, now: Instant) { limiter.giveBack(UInt64(plainBytes), now: now) }
}
