import TransferCommon

/// When an item that failed for a reason of its own is tried again, and when no more.
package enum RetryRule {
    /// What happens to the item.
    package enum Verdict: Hashable, Sendable {
        case tryAgain(after: Duration)
        case quarantine
    }

    /// The wait after the first failure. It doubles with each further failure, up to `delayMax`.
    package static let delayFirst = Duration.seconds(10)
    package static let delayMax = Duration.seconds(600)

    /// - Parameters:
    ///   - failures: how often the item has failed in a row, from 1.
    ///   - limit: how many failures put it into quarantine.
    package static func verdict(failures: UInt8, limit: UInt8) -> Verdict {
        guard failures < max(limit, 1) else { return .quarantine }
        let doublings = min(max(Int(failures) - 1, 0), 10)
        return .tryAgain(after: min(delayFirst * (1 << doublings), delayMax))
    }
}
