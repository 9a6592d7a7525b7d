import WireProtocol

/// What an upload's machine may use while it handles one event: connections, journal numbers, the queue of actions.
struct AgentContext {
    let limits: AgentLimits
    let cryptography: any RootDigesting
    var now: Instant
    var connections: [ConnectionID: AgentConnection] = [:]
    var actions: [AgentAction] = []
    var generator: any RandomNumberGenerator & Sendable
    /// The last moment at which something moved forward; giving up counts from here.
    var progressAt: Instant
    /// Parts that count against `concurrency`: being read, offered, sent, or awaiting the store.
    var partsUnderWay = 0
    private var lastSequence: UInt64 = 0

    init(
        limits: AgentLimits, cryptography: any RootDigesting, generator: any RandomNumberGenerator & Sendable,
        now: Instant
    ) {
        self.limits = limits
        self.cryptography = cryptography
        self.generator = generator
        self.now = now
        self.progressAt = now
    }

    mutating func send(_ frame: Frame, to attachment: Attachment) {
        actions.append(.send(attachment.connection, attachment.slot, frame))
    }

    @discardableResult
    mutating func journal(_ write: JournalWrite) -> JournalSequence {
        lastSequence += 1
        let sequence = JournalSequence(lastSequence)
        actions.append(.journal(sequence, write))
        return sequence
    }

    mutating func newSession() -> SessionID {
        SessionID(high: generator.next(), low: generator.next())
    }

    /// A wait before the attempt after `failures` failed ones.
    mutating func retryDelay(afterFailures failures: Int, adviceMilliseconds: UInt32 = 0) -> Duration {
        var generator = AnyGenerator(base: self.generator)
        defer { self.generator = generator.base }
        return limits.retry.delay(
            afterFailures: failures, advice: .milliseconds(Int64(adviceMilliseconds)), using: &generator)
    }

    /// The open connection with the fewest sessions, by number where several have as few.
    func leastUsedConnection(excluding taken: Set<ConnectionID> = []) -> ConnectionID? {
        connections.filter { $0.value.isOpen && !taken.contains($0.key) }
            .min { ($0.value.slots.count, $0.key) < ($1.value.slots.count, $1.key) }?.key
    }
}


private struct AnyGenerator: RandomNumberGenerator {
    var base: any RandomNumberGenerator & Sendable

    mutating func next() -> UInt64 { base.next() }
}
