package import FoundationEssentials
package import TransferCommon

/// Decides when to use the credentials and when to ask for new ones. It is a state machine without I/O. The caller
/// passes two times: the time of the store's clock decides whether credentials have expired, and the time of a
/// monotonic clock decides when the source may be asked again.
package struct CredentialLease: Sendable {
    /// What a request has to do to get credentials.
    package enum Advice: Sendable {
        case use(S3Credentials)
        /// Use these credentials, which are still valid for a while, and start a renewal.
        case useAndRenew(S3Credentials)
        case waitForRenewal
        /// Fail with this error. The source failed a moment ago, and it is too early to ask it again.
        case fail(StoreError)
    }

    private static let leadMax: TimeInterval = 600
    private static let pauseMax: TimeInterval = 60

    /// The last received credentials, even if the store has refused them.
    package private(set) var credentials: S3Credentials?
    private var isRefused = false
    private var renewalTime: Date?
    private var failure: StoreError?
    private var vainAttempts = 0
    private var nextAttempt: ContinuousClock.Instant?

    package init() {}

    /// Returns what a request has to do.
    ///
    /// - Parameters:
    ///   - now: time of the store's clock.
    ///   - instant: time of a monotonic clock.
    package func advice(now: Date, at instant: ContinuousClock.Instant) -> Advice {
        let mayTry = nextAttempt.map { instant >= $0 } ?? true
        guard let credentials else {
            guard !mayTry, let failure else { return .waitForRenewal }
            return .fail(failure)
        }
        let isOver = isRefused || credentials.expiration.map { now >= $0 } ?? false
        if isOver {
            if mayTry { return .waitForRenewal }
            // The store has refused these credentials, and it is too early to ask the source again. If the source
            // failed last time, report its failure. If it returned the same credentials again, let the store judge them
            // again.
            return failure.map { .fail($0) } ?? .use(credentials)
        }
        guard let renewalTime, now >= renewalTime, mayTry else { return .use(credentials) }
        return .useAndRenew(credentials)
    }

    /// Records that the store refused credentials.
    ///
    /// - Returns: whether the refused credentials are the current ones; `false` if new ones have replaced them
    ///   meanwhile.
    package mutating func refused(_ refused: S3Credentials) -> Bool {
        guard let credentials, credentials.isSame(as: refused) else { return false }
        isRefused = true
        return true
    }

    /// Records the source's answer.
    ///
    /// - Parameter jitter: a random number in 0...1. It spreads renewals, so that gateways that started together do not
    ///   renew together.
    package mutating func received(
        _ new: S3Credentials, now: Date, at instant: ContinuousClock.Instant, jitter: Double
    ) {
        let isSame = credentials?.isSame(as: new) ?? false
        credentials = new
        failure = nil
        let lifetime = new.expiration?.timeIntervalSince(now)
        renewalTime = new.expiration.map { expiration in
            expiration - min(Self.leadMax, max(0, lifetime ?? 0) / 4) * (0.75 + 0.25 * jitter)
        }
        isRefused = isRefused && isSame
        if isRefused || lifetime.map({ $0 <= 0 }) ?? false {
            // The store has already refused these credentials, or they have expired: wait before asking the source
            // again. Otherwise each request would ask it.
            postpone(from: instant, jitter: jitter)
        } else {
            vainAttempts = 0
            nextAttempt = nil
        }
    }

    /// Records that the source has no credentials or did not answer. If the source had credentials before, the failure
    /// counts as temporary (`.unavailable`).
    package mutating func failed(_ error: StoreError, at instant: ContinuousClock.Instant, jitter: Double) {
        failure = credentials == nil ? error : StoreError(.unavailable, error.sentence, cause: error)
        postpone(from: instant, jitter: jitter)
    }

    /// The error of the last attempt to get credentials, in the form in which requests receive it.
    package var lastFailure: StoreError? { failure }

    private mutating func postpone(from instant: ContinuousClock.Instant, jitter: Double) {
        let longest = min(Self.pauseMax, Double(1 << min(vainAttempts, 6)))
        vainAttempts = min(vainAttempts + 1, 6)
        nextAttempt = instant + .seconds(longest * (0.5 + 0.5 * jitter))
    }
}
