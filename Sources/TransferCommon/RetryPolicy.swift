/// How long an agent waits before it tries again (specification §5.4). The wait doubles from `first` and has jitter, so
/// that agents that lost their connections at the same time do not reconnect at the same time.
package struct RetryPolicy: Hashable, Sendable {
    /// Why an attempt failed.
    package enum Cause: CaseIterable, Sendable {
        /// The connection failed or was cut. The link may be up for a few seconds only, so the waits stay short.
        case connection
        /// The gateway answered; a later attempt may get another answer.
        case answer
    }

    /// Upper bound of a peer's retry-after, so that no peer can silence an agent for longer.
    package static let adviceMax = Duration.seconds(600)

    package var first: Duration
    /// The longest wait after a gateway's answer.
    package var longest: Duration
    /// The longest wait after a failed connection.
    package var longestWithoutConnection: Duration

    package init(
        first: Duration = .milliseconds(250), longest: Duration = .seconds(60),
        longestWithoutConnection: Duration = .seconds(10)
    ) {
        self.first = first
        self.longest = longest
        self.longestWithoutConnection = longestWithoutConnection
    }

    /// The wait before the next attempt: a random time between half the ceiling and the ceiling, where the ceiling
    /// doubles with each failure; and at least the peer's advice.
    ///
    /// - Parameters:
    ///   - failures: number of attempts that failed in a row, from 1.
    ///   - cause: why the last attempt failed.
    ///   - advice: the peer's retry-after; `.zero` for none.
    package func delay(
        afterFailures failures: Int, _ cause: Cause, advice: Duration = .zero,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let doublings = min(max(failures - 1, 0), 30)
        let longest = cause == .connection ? min(longestWithoutConnection, longest) : longest
        let ceiling = min(first * (1 << doublings), longest)
        let drawn = ceiling / 2 + ceiling / 2 * Double.random(in: 0...1, using: &generator)
        return max(drawn, min(advice, Self.adviceMax))
    }
}
