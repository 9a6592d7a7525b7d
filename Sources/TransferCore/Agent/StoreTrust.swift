package import WireProtocol

/// What an agent knows of the store behind its gateways, by what they say. It outlives connections: the gateways of a
/// site have one store.
///
///     from       event                                             to
///     trusting   told that the store is not available, or full     doubting
///     doubting   told so again                                     doubting, from the beginning
///     doubting   8 parts stored in a row                           trusting
///
/// While the agent doubts, it sends no data before a decision, and tells the user once what it waits for. With each
/// part that is stored, two that wait for the store go on at once: that is how the gateway's circuit breaker grows
/// (specification §7.5). Eight parts are what the breaker stores before it closes, so the agent does not flood a
/// gateway that would defer it again.
package struct StoreTrust: Hashable, Sendable {
    private enum State: Hashable {
        case trusting
        /// - told: what the user knows.
        case doubting(storedCount: Int, told: Set<ErrorCode>)
    }

    private static let storedToTrust = 8

    private var state = State.trusting
    /// How many that wait for the store may go on now.
    private var wakeCount = 0

    package init() {}

    /// Whether data may go out that no gateway has asked for.
    package var allowsEarlyData: Bool { state == .trusting }

    /// A gateway has said that the store is not available, or full.
    ///
    /// - Returns: whether the user does not know it yet.
    package mutating func refused(_ code: ErrorCode) -> Bool {
        var told: Set<ErrorCode> = []
        if case .doubting(_, let before) = state { told = before }
        let isNews = told.insert(code).inserted
        state = .doubting(storedCount: 0, told: told)
        return isNews
    }

    /// The store has confirmed a part, or a one-part file.
    package mutating func stored() {
        guard case .doubting(let storedCount, let told) = state else { return }
        wakeCount += 2
        state =
            storedCount + 1 < Self.storedToTrust ? .doubting(storedCount: storedCount + 1, told: told) : .trusting
    }

    /// - Returns: how many that wait for the store may go on now; told once.
    package mutating func takeWakes() -> Int {
        defer { wakeCount = 0 }
        return wakeCount
    }
}

extension ErrorCode {
    /// Whether the reason is the store, which may be well again at any time.
    var isOfStore: Bool { self == .storeUnavailable || self == .storeFull }
}
