package import TransferCommon
import WireProtocol

/// The waits of one upload after failures: when the request is sent again, and when further connections join.
///
/// Each consecutive failure makes the next wait longer (specification §5.4). The count starts again when a part is
/// stored. It also starts again when a gateway receives data that no gateway had before, because a file of one part
/// has no stored part until it has been sent completely.
package struct UploadWaits: Hashable, Sendable {
    /// Requests that failed since the last progress.
    package private(set) var failures = 0
    /// The reason for the last wait, reported if the agent gives up.
    package private(set) var trouble: UploadFailure?
    /// Further connections join the session from this moment on.
    package private(set) var joinsAt = Instant(nanoseconds: 0)
    /// The answer that a gateway owes to the upload.
    package var answer = AwaitedAnswer()
    private var storeWaitEnd: Instant?

    package init() {}

    /// Whether a wait until this moment ends early when the store takes data again.
    package func isForStore(until moment: Instant) -> Bool { moment == storeWaitEnd }

    // MARK: Failures

    /// Begins a wait after a refusal, and returns when the request is sent again. A request that lists stored parts is
    /// long, so it is repeated less often than the gateway would allow.
    package mutating func refused(_ refusal: GatewayRefusal, listsParts: Bool, _ clock: inout AgentClock) -> Instant {
        failures += 1
        trouble = refusal.failure
        let delay =
            listsParts
            ? clock.retryDelay(afterFailures: failures, adviceMilliseconds: refusal.adviceMilliseconds)
            : clock.storeDelay(afterFailures: failures, refusal)
        let end = clock.now + delay
        storeWaitEnd = refusal.code.isOfStore ? end : nil
        return end
    }

    /// Begins a wait after the last slot was closed without an answer; returns when the request is sent again.
    package mutating func lostAnswer(_ clock: inout AgentClock) -> Instant {
        failures += 1
        return clock.now + clock.retryDelay(afterFailures: failures)
    }

    /// One of several slots was closed. Begins a wait, during which no further connection joins the session.
    package mutating func lostSlot(adviceMilliseconds: UInt32, _ clock: inout AgentClock) {
        failures += 1
        joinsAt = clock.now + clock.retryDelay(afterFailures: failures, adviceMilliseconds: adviceMilliseconds)
    }

    /// Takes a deferral or refusal of a part that has failed `count` times; returns when it is offered again.
    package mutating func partFailed(
        _ refusal: GatewayRefusal, count: Int, _ clock: inout AgentClock
    ) -> Instant {
        trouble = UploadFailure(refusal.code, message: "")
        return clock.now + clock.storeDelay(afterFailures: count, refusal)
    }

    // MARK: Comparisons

    /// Counts a comparison after the session was opened as a failure, so that the same steps are not repeated at once.
    package mutating func comparedLate() { failures += 1 }

    /// When the next session may replace the object; after a failure there is a pause, against endless comparisons.
    package func replacement(_ clock: inout AgentClock) -> Instant {
        failures > 0 ? clock.now + clock.retryDelay(afterFailures: failures) : clock.now
    }

    // MARK: Progress

    /// Counts failures from 0 again, because a gateway has received more of a part than in any attempt before.
    package mutating func partArrived() { failures = 0 }

    /// Forgets failures, because a part is stored. While another part is deferred, the reason for the last wait is
    /// kept, in case the agent gives up.
    package mutating func partStored(othersAreWell: Bool) {
        failures = 0
        if othersAreWell { trouble = nil }
    }
}
