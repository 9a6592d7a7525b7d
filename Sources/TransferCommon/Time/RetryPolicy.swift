/// How long an agent waits before it tries again (specification §5.4). The limit of the wait begins at `first` and
/// doubles with each failure. A random share spreads the waits, so that agents that have lost their connections at the
/// same time do not reconnect at the same time.
package struct RetryPolicy: Hashable, Sendable {
    /// The way in which an attempt failed.
    package enum Cause: CaseIterable, Sendable {
        /// The connection failed or was cut. The waits stay short, because a link may work for only a few seconds at a
        /// time.
        case connection
        /// The gateway has refused the request. A later attempt may get another answer.
        case answer
    }

    /// Upper bound of the wait that a peer asks for. Without it, a peer could make an agent wait for any time.
    package static let adviceMax = Duration.seconds(600)

    package var first: Duration
    /// Maximum wait after a refusal by a gateway.
    package var longest: Duration
    /// Maximum wait after a failed connection.
    package var longestWithoutConnection: Duration

    package init(
        first: Duration = .milliseconds(250), longest: Duration = .seconds(60),
        longestWithoutConnection: Duration = .seconds(10)
    ) {
        self.first = first
        self.longest = longest
        self.longestWithoutConnection = longestWithoutConnection
    }

    /// The wait before the next attempt. The limit of the wait is `first`, doubled for each further failure, up to the
    /// maximum for `cause`. The wait is a random time between half of the limit and the limit, but at least the time
    /// that the peer asked for.
    ///
    /// - Parameters:
    ///   - failures: number of attempts that failed in a row, from 1.
    ///   - cause: why the last attempt failed.
    ///   - advice: the time that the peer asked to wait; `.zero` for none.
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
