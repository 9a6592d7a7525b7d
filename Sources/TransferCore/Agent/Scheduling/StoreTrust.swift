package import WireProtocol

/// Whether the agent trusts the store behind its gateways to take data. The trust does not depend on a connection,
/// because all gateways of a site have the same store.
///
///     from       event                                             to
///     trusting   a gateway says that the store is down or full     doubting
///     doubting   a gateway says it again                           doubting, from the beginning
///     doubting   8 parts stored in a row                           trusting
///
/// In the state `doubting`, the agent sends no data before a decision, and reports once what it waits for. With each
/// part that is stored, two uploads or parts that wait for the store continue at once. One takes the place of the
/// stored part. The other continues because the gateway's circuit breaker then admits one part more (specification
/// §7.5). The breaker closes after eight stored parts. So the agent also trusts the store after eight stored parts.
/// Before that, the gateway would defer many parts again.
package struct StoreTrust: Hashable, Sendable {
    private enum State: Hashable {
        case trusting
        /// - told: the codes that have been reported to the user.
        case doubting(storedCount: Int, told: Set<ErrorCode>)
    }

    private static let storedToTrust = 8

    private var state = State.trusting
    private var wakeCount = 0

    package init() {}

    /// Whether data may be sent before the gateway's decision.
    package var allowsEarlyData: Bool { state == .trusting }

    /// Notes that the store is down or full; returns whether the user does not know of this code yet.
    package mutating func refused(_ code: ErrorCode) -> Bool {
        var told: Set<ErrorCode> = []
        if case .doubting(_, let before) = state { told = before }
        let isNews = told.insert(code).inserted
        state = .doubting(storedCount: 0, told: told)
        return isNews
    }

    /// Counts a confirmed part or one-part file; while the store is doubted, two that wait for it may continue.
    package mutating func stored() {
        guard case .doubting(let storedCount, let told) = state else { return }
        wakeCount += 2
        state =
            storedCount + 1 < Self.storedToTrust ? .doubting(storedCount: storedCount + 1, told: told) : .trusting
    }

    /// Takes the number of uploads or parts that wait for the store and may continue now.
    package mutating func takeWakes() -> Int {
        defer { wakeCount = 0 }
        return wakeCount
    }
}

extension ErrorCode {
    /// Whether the code says that the store is down or full. The store may recover at any time.
    var isOfStore: Bool { self == .storeUnavailable || self == .storeFull }
}
