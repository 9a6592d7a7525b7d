import TransferCommon
import WireProtocol

// Whether the gateway sends another part to the store: `StorePace` and `StoreBreaker` decide.

extension GatewayContext {
    /// Whether a part may begin.
    enum PartAdmission: Hashable {
        /// - isCautious: whether the agent may send only `StoreBreakerLimits.cautiousBytes` until the store takes
        /// them.
        case admitted(isCautious: Bool)
        case later(ErrorCode, after: Duration)
    }

    mutating func partAdmission() -> PartAdmission {
        switch breaker.admission(now: now) {
        case .deferred(let cause, let delay):
            return .later(cause.code, after: delay)
        case .admitted(let isCautious):
            switch pace.admission(now: now) {
            case .admitted: return .admitted(isCautious: isCautious)
            case .full(let delay): return .later(.busy, after: delay)
            case .paused(let delay): return .later(.storeUnavailable, after: delay)
            }
        }
    }

    /// Counts a part whose request has gone to the store.
    mutating func partBegan(_ request: StoreRequestID) {
        pace.began(request, now: now)
        breaker.began(request, now: now)
    }

    /// Passes the store's answer to pace and breaker. `isDoubtful`: a failure may mean only that an upload is gone.
    mutating func storeAnswered(
        _ request: StoreRequestID, _ answer: StoreAnswer, device: SHA256Digest?, isDoubtful: Bool
    ) {
        pace.answered(request, answer, now: now)
        note(breaker.answered(request, answer, device: device, isDoubtful: isDoubtful, now: now))
    }

    mutating func tickBreaker() {
        note(breaker.tick(now: now))
    }

    private mutating func note(_ change: StoreBreaker.Change?) {
        switch change {
        case .opened(let cause): actions.append(.note(.storeUnavailable(cause)))
        case .closed: actions.append(.note(.storeRecovered))
        case nil: break
        }
    }

    /// The refusal for the agent. If the store is full or unavailable, its wait lasts at least until a part may begin.
    func advised(_ refusal: SessionRefused) -> SessionRefused {
        guard refusal.code == .storeUnavailable || refusal.code == .storeFull else { return refusal }
        let pause = breaker.pause(now: now).wireMilliseconds
        return SessionRefused(
            code: refusal.code, retryAfterMilliseconds: max(refusal.retryAfterMilliseconds, pause),
            message: refusal.message)
    }
}

extension StoreBreaker.Cause {
    /// The error code that names this cause to an agent.
    var code: ErrorCode { self == .full ? .storeFull : .storeUnavailable }
}
