package import TransferCommon

/// Everything that bounds an agent, in one place.
package struct AgentLimits: Hashable, Sendable {
    /// Parts under way at once, from being read until they are stored.
    package var concurrency = 4
    /// Offers in a slot that is opening or resuming: a gateway need not keep more decisions (specification §7.1).
    package var offersAheadMax = 64
    /// Connections at once.
    package var connections = 1
    /// Sessions at once; beyond that, files wait in the journal.
    package var sessionsMax = 256
    /// Bytes handed to a connection that its socket has not taken.
    package var queuedBytesMax: UInt64 = 1 << 20
    /// The most a chunk carries; also bounded by the gateway, and by a second of the link.
    package var chunkBytesMax: UInt32 = 256 << 10
    /// The least a chunk carries, however slow the link.
    package var chunkBytesMin: UInt32 = 4 << 10
    /// Parts up to this size are bounded by credit and sessions, not by `concurrency`: they are on their way at once.
    package var smallPartBytes: UInt64 = 256 << 10
    /// Bytes a second on the wire, over all connections; `nil` for no limit.
    package var bytesPerSecond: UInt64?
    /// How long to go on without any progress before giving up with everything kept.
    package var retryFor = Duration.seconds(300)
    /// The same while a gateway that is connected owes an answer: it may be looking for an object for two minutes.
    package var answerFor = Duration.seconds(180)
    package var retry = RetryPolicy()
    /// How long a stop waits for parts and completions that are under way.
    package var stopGrace = Duration.seconds(3)
    /// How long to wait for a connection, or for WELCOME.
    package var connectLimit = Duration.seconds(20)
    /// How often a session may be lost before that is reported instead of repeated.
    package var lossesMax = 2

    package init() {}
}
