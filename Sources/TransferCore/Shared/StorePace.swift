package import TransferCommon

/// How many parts may be on their way to the store at once, learnt from what the store itself says.
///
/// A store that asks for a pause is taken at its word: nothing new is begun meanwhile, agents are told *later* before
/// they send a byte, and afterwards half as many parts are under way. Each part that is stored adds a little, so that
/// the number swings about what the store can do (additive increase, multiplicative decrease). Parts of one flight that
/// are refused together halve it once.
///
/// It also knows how long the store takes from a part's last byte to its answer. A part that waits far longer than that
/// is in the slow tail: given up and asked for again, it goes out on another connection and is usually done before the
/// first one would have been. That is done for few, or a store that is slow as a whole would only get more to do.
package struct StorePace: Hashable, Sendable {
    /// Whether another part may begin.
    package enum Admission: Hashable, Sendable {
        case admitted
        /// As many are under way as the store takes.
        case full(retryAfter: Duration)
        /// The store has asked for a pause.
        case paused(retryAfter: Duration)
    }

    private struct Part: Hashable {
        var begunAt: Instant
        /// When the store's side had taken the last byte.
        var handedOverAt: Instant?
    }

    private let limits: StorePaceLimits
    private var parts: [StoreRequestID: Part] = [:]
    /// Fractions count: several parts stored make one more.
    private var allowed: Double
    private var pausedUntil: Instant?
    /// Of the next request for a pause that does not say how long.
    private var nextPause: Duration
    private var reducedAt: Instant?
    /// Parts deferred since one was last admitted: each is told to come a little later than the one before.
    private var deferredCount = 0
    private var answerTime: Duration?
    private var answerCount = 0
    private var storedSinceRepeat = 0

    package init(limits: StorePaceLimits) {
        self.limits = limits
        self.allowed = Double(limits.partsMax)
        self.nextPause = limits.pauseFirst
    }

    /// How many parts may be under way now.
    package var partsAllowed: Int { max(1, Int(allowed)) }
    package var partsUnderWay: Int { parts.count }

    /// Called before a part begins. A part that is not admitted is counted: the caller defers it.
    package mutating func admission(now: Instant) -> Admission {
        if let pausedUntil, pausedUntil > now {
            deferredCount += 1
            return .paused(retryAfter: pausedUntil.since(now) + spread)
        }
        guard parts.count < partsAllowed else {
            deferredCount += 1
            return .full(retryAfter: limits.laterAdvice + spread)
        }
        return .admitted
    }

    /// Keeps parts that were deferred together from coming back together.
    private var spread: Duration { limits.spread * min(deferredCount, limits.spreadCountMax) }

    /// A part's request has gone to the store.
    package mutating func began(_ request: StoreRequestID, now: Instant) {
        deferredCount = 0
        parts[request] = Part(begunAt: now)
    }

    /// The store's side has taken a part's last byte.
    package mutating func handedOver(_ request: StoreRequestID, now: Instant) {
        guard parts[request]?.handedOverAt == nil else { return }
        parts[request]?.handedOverAt = now
    }

    /// The store has answered a request, of a part or of anything else.
    package mutating func answered(_ request: StoreRequestID, _ answer: StoreAnswer, now: Instant) {
        let part = parts.removeValue(forKey: request)
        switch answer {
        case .failed(.unavailable(let retryAfter)) where retryAfter > .zero:
            slowDown(retryAfter: retryAfter, begunAt: part?.begunAt, now: now)
        case .partStored, .objectStored:
            guard let part else { return }
            stored(part, now: now)
        default:
            break
        }
    }

    private mutating func slowDown(retryAfter: Duration, begunAt: Instant?, now: Instant) {
        // What was begun before the last reduction says nothing new.
        if let reducedAt, begunAt.map({ $0 <= reducedAt }) ?? (pausedUntil.map { $0 > now } ?? false) { return }
        allowed = max(1, min(allowed, Double(parts.count + 1)) / 2)
        reducedAt = now
        let pause = max(nextPause, min(retryAfter, limits.pauseLongest))
        pausedUntil = now + pause
        nextPause = min(nextPause * 2, limits.pauseLongest)
    }

    private mutating func stored(_ part: Part, now: Instant) {
        if reducedAt.map({ part.begunAt > $0 }) ?? true { nextPause = limits.pauseFirst }
        allowed = min(Double(limits.partsMax), allowed + 1 / allowed)
        storedSinceRepeat += 1
        guard let handedOverAt = part.handedOverAt else { return }
        let took = now.since(handedOverAt)
        answerCount += 1
        answerTime = answerTime.map { $0 + (took - $0) / 8 } ?? took
    }

    // MARK: The slow tail

    /// How long an answer may take before its part counts as slow; `nil` while too little is known.
    private var slowAfter: Duration? {
        guard let answerTime, answerCount >= limits.answersNeeded, storedSinceRepeat >= limits.storedBetweenRepeats
        else { return nil }
        return max(limits.slowAfterLeast, answerTime * limits.slowFactor)
    }

    /// When `takeSlow` may have something to say.
    package var nextDeadline: Instant? {
        guard let slowAfter else { return nil }
        return parts.values.compactMap(\.handedOverAt).min().map { $0 + slowAfter }
    }

    /// The part that has waited longest for its answer, if that is too long; it is told once.
    package mutating func takeSlow(now: Instant) -> StoreRequestID? {
        guard let slowAfter else { return nil }
        let slow = parts.filter { $0.value.handedOverAt.map { $0 + slowAfter <= now } ?? false }
        guard let request = slow.keys.min() else { return nil }
        // It still counts as under way, until the store has answered; but nobody waits for it any more.
        parts[request]?.handedOverAt = nil
        storedSinceRepeat = 0
        return request
    }
}

/// What `StorePace` goes by.
package struct StorePaceLimits: Hashable, Sendable {
    /// Parts under way to the store, whatever it says. Small files are many parts at once, and bounded by budgets too.
    package var partsMax = 1_024
    /// The pause after a request for one that does not say how long; doubled with each further one, up to the longest.
    package var pauseFirst = Duration.milliseconds(250)
    package var pauseLongest = Duration.seconds(30)
    /// What an agent is advised to wait when as many parts are under way as the store takes.
    package var laterAdvice = Duration.milliseconds(200)
    /// How far apart parts come back that were deferred together, and for how many of them the distance grows.
    package var spread = Duration.milliseconds(20)
    package var spreadCountMax = 100
    /// An answer is slow when it takes so many times as long as usual, and at least so long.
    package var slowFactor = 8
    package var slowAfterLeast = Duration.seconds(5)
    /// Answers that are needed before "usual" means anything.
    package var answersNeeded = 4
    /// At most one part in so many is asked for again because it is slow.
    package var storedBetweenRepeats = 8

    package init() {}
}
