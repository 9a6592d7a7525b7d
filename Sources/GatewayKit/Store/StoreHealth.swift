package import TransferCommon

/// Decides which failed requests to the store become log lines, and when a line says that requests succeed again.
///
/// It keeps a series (`FailureSeries`) for each kind of request: a store that refuses parts may still look objects up.
/// The number of kinds is fixed, so the number of lines a minute is bounded.
package struct StoreHealth: Sendable {
    package typealias Series = FailureSeries<Sort>

    /// Failures that are equal for an operator.
    package struct Sort: Hashable, Sendable {
        /// The reason in one word, as `StoreError.shortDescription`.
        package var reason: String
        /// The store's status and error code, if it gave any.
        package var status: Int?
        package var code: String

        package init(reason: String, status: Int? = nil, code: String = "") {
            self.reason = reason
            self.status = status
            self.code = code
        }
    }

    private var kinds: [String: Series] = [:]

    package init() {}

    /// The state of one kind of request, which `kind` names.
    package func state(of kind: String) -> Series.State { kinds[kind]?.state ?? .working }

    /// Counts a failed request of this kind, and decides whether the log gets a line about it.
    package mutating func failed(_ kind: String, _ sort: Sort, now: Instant) -> Series.OnFailure {
        kinds[kind, default: Series()].failed(sort, now: now)
    }

    /// Ends the failures of this kind, because a request succeeded.
    ///
    /// - Returns: what the log says about it; `nil` if it says nothing.
    package mutating func succeeded(_ kind: String, now: @autoclosure () -> Instant) -> Series.Recovery? {
        // Nearly every request succeeds, and a look costs less than access for writing.
        guard state(of: kind) != .working else { return nil }
        return kinds[kind]?.succeeded(now: now())
    }
}
