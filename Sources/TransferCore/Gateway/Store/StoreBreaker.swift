package import TransferCommon
import WireProtocol

/// The circuit breaker of one store. While the store is known to be down or full, the gateway answers each offer with
/// *later*, before the agent sends a byte of the part (specification §7.5).
///
/// The breaker distinguishes four answers: *stored* (the store holds a part that it was sent), *alive* (any other
/// answer, also a refusal of the request itself), *refused* (the store is full, or asks for a pause), and *lost* (no
/// answer, or one that reports a failure of the store). A cancelled request is no evidence.
///
///     from    event                                            to
///     closed  answers lost in a row; refusals in a row         open
///     open    the wait is over, and a part begins              trying, with that part as the trial
///     open    a call that began after the wait fails           open, for twice as long
///     open    a part is stored, or a silent store answers      open, with its wait over
///     trying  a part is stored, or a lost store answers        rising
///     trying  the trial fails                                  open, for twice as long
///     trying  the trial ends without evidence either way       open, with its wait over
///     rising  a part that began while rising is stored         rising, one more part at once; beyond 8 closed
///     rising  answers lost in a row; refusals in a row         open, for twice as long
///     rising  30 s have passed                                 closed
///
/// - *In a row* means without evidence for the store in between. Between lost answers, any answer of the store is such
///   evidence. Between refusals, only a stored part is such evidence, because a full store still looks objects up. So
///   the breaker stays closed if one request is lost while others succeed, or if one device has used up its own quota
///   while other devices store parts. If the refusals concern more than one device, two of them are enough.
/// - When the store asks for a pause, it usually refuses all parts that are on their way at that time. These refusals
///   count once: a request that was sent before the last counted refusal gives no new evidence. `StorePace` handles the
///   pause itself.
/// - The waits double from a second to half a minute: most outages are restarts and last for seconds, and a long one
///   costs no more than a trial every 30 s. There is one breaker for each gateway and one trial at a time, so the waits
///   need no randomness. `spread` makes the agents return at different times.
/// - After its wait the breaker tries the store with the next part that is offered. Without an offer it stays open,
///   which costs nothing.
/// - A trial that has no result after 30 s does not block others: it may be a large part on a slow link.
package struct StoreBreaker: Hashable, Sendable {
    /// Why the breaker is open.
    package enum Cause: Hashable, Sendable {
        /// The store does not answer, or fails.
        case unavailable
        /// The store asks for a pause.
        case throttled
        case full
    }

    /// Whether a part may begin.
    package enum Admission: Hashable, Sendable {
        /// - isCautious: there is evidence against the store, so that the agent may send only a few bytes at first.
        case admitted(isCautious: Bool)
        case deferred(Cause, retryAfter: Duration)
    }

    /// A change that is written to the log.
    package enum Change: Hashable, Sendable {
        case opened(Cause)
        case closed
    }

    /// The states of the breaker, as the table in the comment on `StoreBreaker` lists them.
    package enum State: Hashable, Sendable {
        case closed
        case open(Outage)
        case trying(Outage, trial: StoreRequestID, begunAt: Instant)
        /// - parts: the unanswered requests for parts that began in this state.
        case rising(Outage, partsMax: Int, parts: Set<StoreRequestID>, closesAt: Instant)
    }

    /// Why the breaker is not closed, and when it tries the store again.
    package struct Outage: Hashable, Sendable {
        package var cause: Cause
        /// Length of the newest wait.
        package var wait: Duration
        /// End of the newest wait.
        package var trialAt: Instant
        /// The place of the first request after the wait, in the order of requests; `nil` before this request.
        var firstSince: UInt64?
    }

    /// Evidence against the store since the last evidence for it.
    private struct Evidence: Hashable {
        var lostCount = 0
        var refusalCount = 0
        var refusedDevices: Set<SHA256Digest> = []
        /// The place of the newest request at the time when a pause was last counted. Refusals of earlier requests do
        /// not count.
        var flightEnd: UInt64?

        var isEmpty: Bool { lostCount == 0 && refusalCount == 0 }
    }

    private enum Word {
        case stored, alive, lost, nothing
        /// A part is lost, and perhaps only because its upload is gone.
        case doubtful
        case refused(Cause)
    }

    private let limits: StoreBreakerLimits
    package private(set) var state = State.closed
    private var evidence = Evidence()
    /// Whether the store seems silent, judged by the calls without a part since the breaker opened: the store has
    /// answered none of them, or the newest was *lost*.
    private var isSilent = false
    /// All unanswered requests that carry a part.
    private var parts: Set<StoreRequestID> = []
    /// The place of each unanswered request in the order in which requests were sent.
    private var begun: [StoreRequestID: UInt64] = [:]
    private var lastOrder: UInt64 = 0
    /// Parts and sessions that were deferred since a part last began.
    private var deferredCount = 0

    package init(limits: StoreBreakerLimits) {
        self.limits = limits
    }

    /// Whether agents may send data before a decision.
    package var isTrusting: Bool {
        switch state {
        case .closed, .rising: true
        case .open, .trying: false
        }
    }

    /// How much longer the breaker will admit no part; zero in every state except `open`.
    package func pause(now: Instant) -> Duration {
        guard case .open(let outage) = state else { return .zero }
        return outage.trialAt.since(now)
    }

    /// When `tick` has something to do.
    package var nextDeadline: Instant? {
        guard case .rising(_, _, _, let closesAt) = state else { return nil }
        return closesAt
    }

    // MARK: Asking

    /// Decides whether a part may begin. If it is deferred, the caller answers *later*, and the deferral is counted.
    package mutating func admission(now: Instant) -> Admission {
        switch state {
        case .closed:
            return .admitted(isCautious: !evidence.isEmpty)
        case .open(let outage):
            guard outage.trialAt > now else { return .admitted(isCautious: true) }
            return .deferred(outage.cause, retryAfter: outage.trialAt.since(now) + spread())
        case .trying(let outage, _, let begunAt):
            let next = begunAt + limits.trialPatience
            guard next > now else { return .admitted(isCautious: true) }
            return .deferred(outage.cause, retryAfter: min(outage.wait, next.since(now)) + spread())
        case .rising(let outage, let partsMax, let parts, _):
            guard parts.count >= partsMax else { return .admitted(isCautious: true) }
            return .deferred(outage.cause, retryAfter: limits.risingAdvice + spread())
        }
    }

    /// Judges a new session: `nil` if it may ask the store. A full store still tells which objects it has, and an
    /// unavailable store is asked again after the wait.
    package mutating func openingRefusal(now: Instant) -> (cause: Cause, retryAfter: Duration)? {
        guard case .open(let outage) = state, outage.cause != .full, outage.trialAt > now else { return nil }
        return (outage.cause, outage.trialAt.since(now) + spread())
    }

    /// An extra wait, so that agents that were deferred at the same time return at different times.
    private mutating func spread() -> Duration {
        deferredCount += 1
        return limits.spread * min(deferredCount, limits.spreadCountMax)
    }

    /// Notes that a request of any kind was sent to the store, and its place in the order of requests.
    package mutating func asked(_ request: StoreRequestID, now: Instant) {
        lastOrder += 1
        begun[request] = lastOrder
        guard case .open(var outage) = state, outage.trialAt <= now, outage.firstSince == nil else { return }
        outage.firstSince = lastOrder
        state = .open(outage)
    }

    /// Notes that a request with an admitted part was sent; unless the breaker is closed, it may become the trial.
    package mutating func began(_ request: StoreRequestID, now: Instant) {
        deferredCount = 0
        parts.insert(request)
        switch state {
        case .closed:
            break
        case .open(let outage), .trying(let outage, _, _):
            state = .trying(outage, trial: request, begunAt: now)
        case .rising(let outage, let partsMax, var parts, let closesAt):
            parts.insert(request)
            state = .rising(outage, partsMax: partsMax, parts: parts, closesAt: closesAt)
        }
    }

    /// Stops waiting for a request whose part was given up, or has lost its connection.
    package mutating func abandoned(_ request: StoreRequestID, now: Instant) {
        switch state {
        case .trying(let outage, request, _):
            endWait(outage, now: now)
        case .rising(let outage, let partsMax, var parts, let closesAt):
            parts.remove(request)
            state = .rising(outage, partsMax: partsMax, parts: parts, closesAt: closesAt)
        case .closed, .open, .trying:
            break
        }
    }

    // MARK: Answers

    /// Judges the store's answer to a request. `device` caused the request; `nil` if no session waits for the answer.
    /// `isDoubtful`: the failure of a part may mean only that its upload is gone (`UploadDoubt`); such failures alone
    /// do not open a closed breaker.
    package mutating func answered(
        _ request: StoreRequestID, _ answer: StoreAnswer, device: SHA256Digest?, isDoubtful: Bool = false, now: Instant
    ) -> Change? {
        let isPart = parts.remove(request) != nil
        let order = begun.removeValue(forKey: request) ?? 0
        var word = Self.word(answer, isPart: isPart)
        // While the breaker is open or tries a part, a lost part counts even if its upload may be gone.
        if case .lost = word, isDoubtful, isTrusting { word = .doubtful }
        switch state {
        case .closed:
            return weigh(word, of: order, device).flatMap { open($0, now: now) }
        case .open(let outage):
            return answered(word, to: order, isPart: isPart, while: outage, now: now)
        case .trying(let outage, let trial, _):
            return answered(word, isPart: isPart, isTrial: trial == request, while: outage, now: now)
        case .rising(let outage, let partsMax, var parts, let closesAt):
            let isOwn = parts.remove(request) != nil
            if let cause = weigh(word, of: order, device) { return openAgain(outage, cause, now: now) }
            guard isOwn, case .stored = word else {
                state = .rising(outage, partsMax: partsMax, parts: parts, closesAt: closesAt)
                return nil
            }
            guard partsMax < limits.partsMaxRising else { return close() }
            state = .rising(outage, partsMax: partsMax + 1, parts: parts, closesAt: closesAt)
            return nil
        }
    }

    /// The caller calls this at `nextDeadline`. A call at any other time is harmless.
    package mutating func tick(now: Instant) -> Change? {
        guard let nextDeadline, nextDeadline <= now else { return nil }
        return close()
    }

    private mutating func answered(
        _ word: Word, to order: UInt64, isPart: Bool, while outage: Outage, now: Instant
    ) -> Change? {
        // A call that began after the wait is a test of the store, like a part, but costs no agent any bytes. So if
        // such a call fails, the breaker stays open for another wait.
        let isSince = outage.firstSince.map { $0 <= order } ?? false
        switch word {
        case .stored:
            endWait(outage, now: now)
        case .alive:
            let isNews = isSilent && outage.cause == .unavailable
            isSilent = false
            if isNews { endWait(outage, now: now) }
        case .lost:
            if !isPart { isSilent = true }
            if isSince { return openAgain(outage, .unavailable, now: now) }
        case .refused(let cause):
            if isSince { return openAgain(outage, cause, now: now) }
        case .nothing, .doubtful:
            break
        }
        return nil
    }

    private mutating func answered(
        _ word: Word, isPart: Bool, isTrial: Bool, while outage: Outage, now: Instant
    ) -> Change? {
        switch word {
        case .stored:
            rise(outage, now: now)
        case .alive where isTrial && outage.cause == .unavailable:
            rise(outage, now: now)
        case .lost where isTrial:
            return openAgain(outage, .unavailable, now: now)
        case .refused(let cause) where isTrial:
            return openAgain(outage, cause, now: now)
        case .alive where isTrial, .nothing where isTrial:
            endWait(outage, now: now)
        case .alive where !isPart:
            isSilent = false
        case .lost where !isPart:
            isSilent = true
        case .alive, .lost, .refused, .nothing, .doubtful:
            break  // This part is not the trial, or is no longer the trial.
        }
        return nil
    }

    // MARK: Transitions

    private mutating func open(_ cause: Cause, now: Instant) -> Change? {
        let wait = limits.waitFirst(cause)
        evidence = Evidence()
        isSilent = true
        state = .open(Outage(cause: cause, wait: wait, trialAt: now + wait))
        return .opened(cause)
    }

    private mutating func openAgain(_ outage: Outage, _ cause: Cause, now: Instant) -> Change? {
        let wait = max(min(outage.wait * 2, limits.waitLongest), limits.waitFirst(cause))
        if case .rising = state { isSilent = true }
        if cause != outage.cause { isSilent = true }
        evidence = Evidence()
        state = .open(Outage(cause: cause, wait: wait, trialAt: now + wait))
        return cause == outage.cause ? nil : .opened(cause)
    }

    private mutating func endWait(_ outage: Outage, now: Instant) {
        state = .open(Outage(cause: outage.cause, wait: outage.wait, trialAt: min(outage.trialAt, now)))
    }

    private mutating func rise(_ outage: Outage, now: Instant) {
        evidence = Evidence()
        state = .rising(outage, partsMax: 2, parts: [], closesAt: now + limits.waitLongest)
    }

    private mutating func close() -> Change {
        state = .closed
        return .closed
    }

    // MARK: Evidence

    private static func word(_ answer: StoreAnswer, isPart: Bool) -> Word {
        switch answer {
        case .partStored, .objectStored:
            // Completing an upload needs no more space, so it does not show that the store has room for another part.
            return isPart ? .stored : .alive
        case .done, .object, .records, .uploadCreated, .parts:
            return .alive
        case .failed(let error):
            switch error.reason {
            case .unavailable, .throttled, .completionInProgress, .damaged:
                return error.retryAfter ?? .zero > .zero ? .refused(.throttled) : .lost
            case .outcomeUnknown: return .lost
            case .full: return .refused(.full)
            case .uploadUnknown, .denied, .bucketMissing, .partsInvalid, .keyTaken, .objectGone, .conflict,
                .keyUnsupported, .tooLarge, .unsupported:
                return .alive
            // These errors are no evidence, because the gateway itself may have found them without an answer of the
            // store.
            case .digestMismatch, .sizeMismatch, .bodyFailed, .cancelled: return .nothing
            }
        }
    }

    /// - Returns: why the breaker opens; `nil` if the evidence is not enough.
    private mutating func weigh(_ word: Word, of order: UInt64, _ device: SHA256Digest?) -> Cause? {
        switch word {
        case .stored:
            evidence = Evidence()
        case .alive:
            evidence.lostCount = 0
        case .lost:
            evidence.lostCount += 1
            return evidence.lostCount >= limits.lostMax ? .unavailable : nil
        case .doubtful:
            evidence.lostCount = min(evidence.lostCount + 1, max(limits.lostMax - 1, 0))
        case .refused(let cause):
            evidence.lostCount = 0
            return weighRefusal(cause, of: order, device)
        case .nothing:
            break
        }
        return nil
    }

    private mutating func weighRefusal(
        _ cause: Cause, of order: UInt64, _ device: SHA256Digest?
    ) -> Cause? {
        if cause == .throttled {
            if let flightEnd = evidence.flightEnd, order <= flightEnd { return nil }
            evidence.flightEnd = lastOrder
        }
        evidence.refusalCount += 1
        if let device { evidence.refusedDevices.insert(device) }
        let most = evidence.refusedDevices.count > 1 ? limits.refusalsMaxOfSeveral : limits.refusalsMax
        return evidence.refusalCount >= most ? cause : nil
    }
}
