import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A circuit breaker, with the clock and the request ids that it needs in a test.
struct BreakerBench {
    static let one = Pair.device.fingerprint

    var breaker: StoreBreaker
    var now = Instant(nanoseconds: 1_000_000_000)
    var changes: [StoreBreaker.Change] = []
    private var last: UInt64 = 0

    init(_ change: (inout StoreBreakerLimits) -> Void = { _ in }) {
        var limits = StoreBreakerLimits()
        limits.spread = .zero
        change(&limits)
        breaker = StoreBreaker(limits: limits)
    }

    var name: String {
        switch breaker.state {
        case .closed: "closed"
        case .open: "open"
        case .trying: "trying"
        case .rising(_, let partsMax, _, _): "rising \(partsMax)"
        }
    }

    var cause: StoreBreaker.Cause? {
        switch breaker.state {
        case .closed: nil
        case .open(let outage), .trying(let outage, _, _), .rising(let outage, _, _, _): outage.cause
        }
    }

    var admission: StoreBreaker.Admission {
        var asked = breaker
        return asked.admission(now: now)
    }

    /// How long the breaker defers offers now; `nil` if it admits them.
    var deferral: Duration? {
        guard case .deferred(_, let retryAfter) = admission else { return nil }
        return retryAfter
    }

    var openingRefusal: Duration? {
        var asked = breaker
        return asked.openingRefusal(now: now)?.retryAfter
    }

    mutating func ask() -> StoreRequestID {
        last += 1
        breaker.asked(StoreRequestID(last), now: now)
        return StoreRequestID(last)
    }

    mutating func begin() -> StoreRequestID {
        let request = ask()
        breaker.began(request, now: now)
        return request
    }

    mutating func answer(_ request: StoreRequestID, _ answer: StoreAnswer, of device: SHA256Digest = one) {
        if let change = breaker.answered(request, answer, device: device, now: now) { changes.append(change) }
    }

    /// Begins to store a part, and passes the store's answer to the breaker.
    mutating func part(_ answer: StoreAnswer, of device: SHA256Digest = one) {
        self.answer(begin(), answer, of: device)
    }

    /// Begins a request without part data, and passes the store's answer to the breaker.
    mutating func call(_ answer: StoreAnswer, of device: SHA256Digest = one) {
        self.answer(ask(), answer, of: device)
    }

    mutating func pass(_ duration: Duration) { now = now + duration }

    mutating func tick() {
        if let change = breaker.tick(now: now) { changes.append(change) }
    }
}
