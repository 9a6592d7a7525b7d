/// How long an agent waits before it tries again (specification §5.4): doubling from `first`, with jitter, so that a
/// fleet that was cut off together does not come back together.
package struct RetryPolicy: Equatable, Sendable {
    /// Why an attempt failed.
    package enum Cause: CaseIterable, Sendable {
        /// The connection could not be made, or was cut. The link may be up for a few seconds only, so the waits stay
        /// short.
        case connection
        /// The gateway has answered, and a later attempt may have another answer.
        case answer
    }

    /// No peer can silence an agent for longer by its advice.
    package static let adviceMax = Duration.seconds(600)

    package var first: Duration
    /// The longest wait where the gateway has answered.
    package var longest: Duration
    /// The longest wait where there was no connection.
    package var longestWithoutConnection: Duration

    package init(
        first: Duration = .milliseconds(250), longest: Duration = .seconds(60),
        longestWithoutConnection: Duration = .seconds(10)
    ) {
        self.first = first
        self.longest = longest
        self.longestWithoutConnection = longestWithoutConnection
    }

    /// The wait before the attempt after `failures` failed ones: evenly drawn from half the ceiling to the ceiling,
    /// and at least what the peer asked for.
    ///
    /// - Parameters:
    ///   - failures: how many attempts failed in a row, from 1.
    ///   - cause: of the last of these failures.
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
