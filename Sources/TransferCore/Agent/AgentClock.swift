package import TransferCommon

/// The time of the event that the agent handles, and the lengths of waits, which are drawn at random.
package struct AgentClock: Hashable, Sendable {
    package internal(set) var now: Instant
    private let policy: RetryPolicy
    private var generator: AgentGenerator

    package init(
        policy: RetryPolicy, generator: any RandomNumberGenerator & Hashable & Sendable, now: Instant
    ) {
        self.policy = policy
        self.generator = AgentGenerator(generator)
        self.now = now
    }

    /// The wait before the next attempt, after `failures` failed attempts in a row (specification §5.4).
    package mutating func retryDelay(
        afterFailures failures: Int, _ cause: RetryPolicy.Cause = .answer, adviceMilliseconds: UInt32 = 0
    ) -> Duration {
        policy.delay(
            afterFailures: failures, cause, advice: .milliseconds(Int64(adviceMilliseconds)), using: &generator)
    }

    /// The wait before the next attempt after a failure whose reason may be the store. The gateway knows when another
    /// attempt is worthwhile, so at most three failures lengthen the wait that it advises.
    package mutating func storeDelay(afterFailures failures: Int, _ refusal: GatewayRefusal) -> Duration {
        let isAdvised = refusal.code.isOfStore && refusal.adviceMilliseconds > 0
        return retryDelay(
            afterFailures: isAdvised ? min(failures, 3) : failures, adviceMilliseconds: refusal.adviceMilliseconds)
    }

    /// A new random session id.
    mutating func newSession() -> SessionID {
        SessionID(high: generator.next(), low: generator.next())
    }
}
