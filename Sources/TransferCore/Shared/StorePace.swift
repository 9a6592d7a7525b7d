package import TransferCommon

/// How many parts may be on their way to the store at once, learnt from the store's answers.
///
/// If the store asks for a pause, no part begins until the pause is over: agents get *later* before they send a byte.
/// Afterwards half as many parts may be on their way. Each stored part adds a little, so that the number swings about
/// what the store can take (additive increase, multiplicative decrease). Parts of one flight that are refused together
/// halve it once.
///
/// It also measures how long the store takes from the last byte of a part to its answer. A part that waits far longer
/// is in the slow tail: the agent sends it again, on another connection to the store, where it is usually stored before
/// the first one would have been. Only a few parts are repeated so, because a store that is slow as a whole would get
/// more to do.
package struct StorePace: Hashable, Sendable {
    /// Whether another part may begin.
    package enum Admission: Hashable, Sendable {
        case admitted
        /// As many parts as the store takes are on their way.
        case full(retryAfter: Duration)
        /// The store has asked for a pause.
        case paused(retryAfter: Duration)
    }

    private struct Part: Hashable {
        var begunAt: Instant
        /// When the store call had taken the last byte.
        var handedOverAt: Instant?
    }

    private let limits: StorePaceLimits
    private var parts: [StoreRequestID: Part] = [:]
    /// Has fractions: several stored parts add one.
    private var allowed: Double
    private var pausedUntil: Instant?
    /// Length of the next pause, if the store does not say how long.
    private var nextPause: Duration
    private var reducedAt: Instant?
    /// Parts deferred since a part last began. Each is advised to come a little later than the one before.
    private var deferredCount = 0
    private var answerTime: Duration?
    private var answerCount = 0
    private var storedSinceRepeat = 0

    package init(limits: StorePaceLimits) {
        self.limits = limits
        self.allowed = Double(limits.partsMax)
        self.nextPause = limits.pauseFirst
    }

    /// How many parts may be on their way now.
    package var partsAllowed: Int { max(1, Int(allowed)) }
    package var partsUnderWay: Int { parts.count }

    /// Called before a part begins. Counts a deferral: the caller answers *later*.
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

    /// The store call has taken the last byte of a part.
    package mutating func handedOver(_ request: StoreRequestID, now: Instant) {
        guard parts[request]?.handedOverAt == nil else { return }
        parts[request]?.handedOverAt = now
    }

    /// The store has answered a request, with or without a part.
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
        // An answer to what began before the last reduction tells nothing new.
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

    /// When `takeSlow` may return a part.
    package var nextDeadline: Instant? {
        guard let slowAfter else { return nil }
        return parts.values.compactMap(\.handedOverAt).min().map { $0 + slowAfter }
    }

    /// Takes the part that has waited longest for its answer, if it is slow. Each part is returned once.
    package mutating func takeSlow(now: Instant) -> StoreRequestID? {
        guard let slowAfter else { return nil }
        let slow = parts.filter { $0.value.handedOverAt.map { $0 + slowAfter <= now } ?? false }
        guard let request = slow.keys.min() else { return nil }
        // It still counts until the store has answered, but is not measured any more.
        parts[request]?.handedOverAt = nil
        storedSinceRepeat = 0
        return request
    }
}

/// The limits of `StorePace`.
package struct StorePaceLimits: Hashable, Sendable {
    /// Parts on their way to the store, whatever the store takes. Small files are many parts at once; budgets bound
    /// them, too.
    package var partsMax = 1_024
    /// The pause if the store does not say how long. Each further request doubles it, up to the longest.
    package var pauseFirst = Duration.milliseconds(250)
    package var pauseLongest = Duration.seconds(30)
    /// How long an agent is advised to wait while as many parts as the store takes are on their way.
    package var laterAdvice = Duration.milliseconds(200)
    /// Distance between the retries of parts that were deferred together, and the number of parts up to which it grows.
    package var spread = Duration.milliseconds(20)
    package var spreadCountMax = 100
    /// An answer is slow if it takes this many times the usual time, and at least this long.
    package var slowFactor = 8
    package var slowAfterLeast = Duration.seconds(5)
    /// Answers that are needed before "usual" means anything.
    package var answersNeeded = 4
    /// At most one of this many parts is repeated because it is slow.
    package var storedBetweenRepeats = 8

    package init() {}
}
