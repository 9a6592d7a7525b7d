package import TransferCommon

/// Everything that bounds an agent, in one place.
package struct AgentLimits: Hashable, Sendable {
    /// Maximum number of parts under way at once, from the beginning of their reads until they are stored.
    package var concurrency = 4
    /// Maximum number of offers in a slot before the slot is open. If the agent made more, the gateway might close the
    /// slot instead of deciding on them (specification §7.1).
    package var offersAheadMax = 64
    /// Maximum number of simultaneous connections.
    package var connections = 1
    /// Network interfaces that connections are bound to (`InterfacePlan`); empty to follow the system's routes.
    package var interfaces: [String] = []
    /// Maximum number of simultaneous sessions. The shell submits further files when other uploads have ended.
    package var sessionsMax = 256
    /// Maximum number of bytes that were passed to a connection and that its socket has not taken yet.
    package var queuedBytesMax: UInt64 = 1 << 20
    /// Maximum size of a chunk. The gateway and the rate of the link bound the size, too.
    package var chunkBytesMax: UInt32 = 256 << 10
    /// Minimum size of a chunk on a slow link.
    package var chunkBytesMin: UInt32 = 4 << 10
    /// Files of one part up to this size do not count against `concurrency`; credit and `sessionsMax` bound them.
    package var smallPartBytes: UInt64 = 256 << 10
    /// Bytes a second on the wire, over all connections; `nil` for no limit.
    package var bytesPerSecond: UInt64?
    /// After this time without progress the run ends, even with files left; all state is kept for the next run.
    package var retryFor = Duration.seconds(300)
    /// How long the agent waits for an answer that is due, as long as the gateway answers PING. It may take minutes to
    /// look for an object, to read one, or to join the parts of a large file.
    package var answerFor = Duration.seconds(1_800)
    /// After this time the agent reports to the user that it waits for an answer.
    package var answerToldAfter = Duration.seconds(30)
    package var retry = RetryPolicy()
    /// How long a stopping agent waits for parts and completions that are under way.
    package var stopGrace = Duration.seconds(3)
    /// How long the agent waits for a connection to be established. It then waits equally long for WELCOME.
    package var connectLimit = Duration.seconds(20)
    /// When this many sessions of one file were lost, the agent reports the loss instead of beginning another session.
    package var lossesMax = 2

    package init() {}

    // MARK: What a user may choose

    /// A part under way takes memory and, of a file that is read, a thread.
    package static let concurrencyRange = 1...256
    /// A gateway gives a device this many connections, unless the device list says otherwise. The agent would retry
    /// each further connection in vain.
    package static let connectionsRange = 1...16
    /// Maximum of `retryFor` and of the time between two looks at a file: a year.
    package static let retryForMax = Duration.seconds(366 * 86_400)
    /// Maximum of the part size that an agent requests: the largest part of S3.
    package static let partBytesMax: UInt64 = 5 << 30
}
