/// How long to wait before trying again: doubling from `first` to `longest`, with full jitter, so that a fleet that
/// was cut off together does not come back together.
package struct RetryPolicy: Equatable, Sendable {
    package var first: Duration
    package var longest: Duration

    package init(first: Duration = .milliseconds(250), longest: Duration = .seconds(60)) {
        self.first = first
        self.longest = longest
    }

    /// The wait before the attempt after `failures` failed ones: evenly drawn from half the ceiling to the ceiling,
    /// and at least what the peer asked for.
    ///
    /// - Parameters:
    ///   - failures: how many attempts failed in a row, from 1.
    ///   - advice: the peer's retry-after; `.zero` for none. It is bounded by ten times `longest`, so that no peer can
    ///     silence an agent for ever.
    package func delay(
        afterFailures failures: Int, advice: Duration = .zero, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let doublings = min(max(failures - 1, 0), 30)
        let ceiling = min(first * (1 << doublings), longest)
        let drawn = ceiling / 2 + ceiling / 2 * Double.random(in: 0...1, using: &generator)
        return max(drawn, min(advice, longest * 10))
    }
}
