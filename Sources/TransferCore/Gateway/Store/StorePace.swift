package import TransferCommon

/// Limits how many parts are sent to the store at once. The limit follows the store's answers.
///
/// When the store asks for a pause, the gateway begins no part during the pause and defers new parts before agents send
/// a byte. Afterwards half as many parts may be under way. Each stored part raises the limit a little, so that it stays
/// near the store's capacity (additive increase, multiplicative decrease). If several parts that are under way at the
/// same time are refused, the limit is halved once.
///
/// The pace also measures the time from a part's last byte to the store's answer. If a part waits far longer, the
/// gateway gives the request up and asks the agent for the part again. The part is then sent on another connection and
/// is usually stored earlier than by the first request. The gateway repeats only few parts: to repeat many would only
/// add load to a slow store.
package struct StorePace: Hashable, Sendable {
    /// Whether another part may be sent to the store.
    package enum Admission: Hashable, Sendable {
        case admitted
        /// The limit is reached.
        case full(retryAfter: Duration)
        /// The store has asked for a pause.
        case paused(retryAfter: Duration)
    }

    private struct Part: Hashable {
        var begunAt: Instant
        /// When the connection to the store had taken the part's last byte; `nil` before.
        var handedOverAt: Instant?
    }

    private struct HandedOver: Hashable, Comparable {
        var at: Instant
        var request: StoreRequestID

        static func < (left: HandedOver, right: HandedOver) -> Bool {
            (left.at, left.request) < (right.at, right.request)
        }
    }

    private let limits: StorePaceLimits
    private var parts: [StoreRequestID: Part] = [:]
    /// Parts whose last byte was handed over, the earliest first. Parts that have been answered since may still be
    /// among them, but never as the first.
    private var handedOver = Heap<HandedOver>()
    /// Fractional, because it takes several stored parts to raise it by one.
    private var allowed: Double
    private var pausedUntil: Instant?
    /// Length of the next pause if the store does not name one.
    private var nextPause: Duration
    private var reducedAt: Instant?
    /// Parts deferred since the last admission. Each deferred part gets a slightly longer wait than the one before.
    private var deferredCount = 0
    private var answerTime: Duration?
    private var answerCount = 0
    private var storedSinceRepeat = 0

    package init(limits: StorePaceLimits) {
        self.limits = limits
        self.allowed = Double(limits.partsMax)
        self.nextPause = limits.pauseFirst
    }

    /// Number of parts that may be under way now.
    package var partsAllowed: Int { max(1, Int(allowed)) }
    package var partsUnderWay: Int { parts.count }

    /// Decides whether another part may be sent to the store; counts a part that the caller defers.
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

    /// Extra wait, so that parts that are deferred together do not return together.
    private var spread: Duration { limits.spread * min(deferredCount, limits.spreadCountMax) }

    /// Records that the request for a part was sent to the store.
    package mutating func began(_ request: StoreRequestID, now: Instant) {
        deferredCount = 0
        parts[request] = Part(begunAt: now)
    }

    /// Records that the store connection has taken a part's last byte.
    package mutating func handedOver(_ request: StoreRequestID, now: Instant) {
        guard let part = parts[request], part.handedOverAt == nil else { return }
        parts[request]?.handedOverAt = now
        handedOver.push(HandedOver(at: now, request: request))
    }

    /// Records the store's answer to any request.
    package mutating func answered(_ request: StoreRequestID, _ answer: StoreAnswer, now: Instant) {
        let part = parts.removeValue(forKey: request)
        removeAnswered()
        switch answer {
        case .failed(let error) where error.retryAfter ?? .zero > .zero:
            slowDown(retryAfter: error.retryAfter ?? .zero, begunAt: part?.begunAt, now: now)
        case .partStored, .objectStored:
            guard let part else { return }
            stored(part, now: now)
        default:
            break
        }
    }

    private mutating func slowDown(retryAfter: Duration, begunAt: Instant?, now: Instant) {
        // A request that began before the last reduction does not reduce the limit again.
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

    /// Time after which a part without an answer is slow; `nil` while there are too few measurements.
    private var slowAfter: Duration? {
        guard let answerTime, answerCount >= limits.answersNeeded, storedSinceRepeat >= limits.storedBetweenRepeats
        else { return nil }
        return max(limits.slowAfterLeast, answerTime * limits.slowFactor)
    }

    /// Time at which `takeSlow` may find a slow part.
    package var nextDeadline: Instant? {
        guard let slowAfter, let first = handedOver.first else { return nil }
        return first.at + slowAfter
    }

    /// Returns the part that has waited longest, if it is slow. Returns each part once.
    package mutating func takeSlow(now: Instant) -> StoreRequestID? {
        guard let slowAfter, let nextDeadline, nextDeadline <= now else { return nil }
        let slow = parts.filter { $0.value.handedOverAt.map { $0 + slowAfter <= now } ?? false }
        guard let request = slow.keys.min() else { return nil }
        // The request stays under way until the store answers, but it is not reported as slow again.
        parts[request]?.handedOverAt = nil
        removeAnswered()
        storedSinceRepeat = 0
        return request
    }

    /// Removes answered parts from the front of the queue, so that its first part gives the next deadline.
    private mutating func removeAnswered() {
        while let first = handedOver.first, !isWaiting(first) { _ = handedOver.popFirst() }
        // While one part waits for long at the front, many answered parts can gather behind it. Beyond this size, the
        // queue is built anew without them.
        guard handedOver.count > 2 * parts.count + 64 else { return }
        var waiting = Heap<HandedOver>()
        for (request, part) in parts {
            if let at = part.handedOverAt { waiting.push(HandedOver(at: at, request: request)) }
        }
        handedOver = waiting
    }

    private func isWaiting(_ entry: HandedOver) -> Bool { parts[entry.request]?.handedOverAt == entry.at }
}

/// Settings of `StorePace`.
package struct StorePaceLimits: Hashable, Sendable {
    /// The most parts under way. It is high because each small file is a part; memory budgets bound them, too.
    package var partsMax = 1_024
    /// Length of the first pause if the store names none. Each further one is twice as long, up to `pauseLongest`.
    package var pauseFirst = Duration.milliseconds(250)
    package var pauseLongest = Duration.seconds(30)
    /// Wait that the gateway advises while the limit is reached.
    package var laterAdvice = Duration.milliseconds(200)
    /// If parts are deferred together, the wait of each part is longer by `spread` than the wait of the part before it.
    /// After `spreadCountMax` parts, the wait grows no further.
    package var spread = Duration.milliseconds(20)
    package var spreadCountMax = 100
    /// An answer counts as slow after this multiple of the usual time, but never before the minimum.
    package var slowFactor = 8
    package var slowAfterLeast = Duration.seconds(5)
    /// Number of answers needed to know the usual time.
    package var answersNeeded = 4
    /// After a slow part is repeated, this many parts must be stored before another slow part is repeated.
    package var storedBetweenRepeats = 8

    package init() {}
}
