package import FoundationEssentials
package import ObjectStore
import TransferCommon

/// Decides when to use credentials and when to ask for new ones: a state machine without side effects, which gets two
/// times. The store's clock decides about expiry; a monotonic clock decides about the next attempt.
package struct CredentialLease: Sendable {
    /// What a request must do.
    package enum Advice: Sendable {
        case use(S3Credentials)
        /// Use these credentials and start a renewal: they are still valid for a while.
        case useAndRenew(S3Credentials)
        case waitForRenewal
        /// An attempt a moment ago failed.
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

    /// Returns what a request must do.
    ///
    /// - Parameters:
    ///   - now: the time of the store's clock.
    ///   - instant: the time of a monotonic clock.
    package func advice(now: Date, at instant: ContinuousClock.Instant) -> Advice {
        let mayTry = nextAttempt.map { instant >= $0 } ?? true
        guard let credentials else {
            guard !mayTry, let failure else { return .waitForRenewal }
            return .fail(failure)
        }
        let isOver = isRefused || credentials.expiration.map { now >= $0 } ?? false
        if isOver {
            if mayTry { return .waitForRenewal }
            // If the source returned only the refused credentials, let the store judge them again; if it failed,
            // report its failure.
            return failure.map { .fail($0) } ?? .use(credentials)
        }
        guard let renewalTime, now >= renewalTime, mayTry else { return .use(credentials) }
        return .useAndRenew(credentials)
    }

    /// Records that the store refused credentials.
    ///
    /// - Returns: whether these are the current credentials; false if new ones have replaced them meanwhile.
    package mutating func refused(_ refused: S3Credentials) -> Bool {
        guard let credentials, credentials.isSame(as: refused) else { return false }
        isRefused = true
        return true
    }

    /// Records the source's answer.
    ///
    /// - Parameter jitter: 0...1, so that gateways that started together do not renew together.
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
            // The new credentials are refused or expired: wait before asking again, instead of asking with each
            // request.
            postpone(from: instant, jitter: jitter)
        } else {
            vainAttempts = 0
            nextAttempt = nil
        }
    }

    /// Records that the source has no credentials or did not answer. After an earlier success the failure counts as
    /// temporary.
    package mutating func failed(_ error: StoreError, at instant: ContinuousClock.Instant, jitter: Double) {
        failure = credentials == nil ? error : StoreError(.unavailable, error.sentence, cause: error)
        postpone(from: instant, jitter: jitter)
    }

    /// The error of the last attempt, as requests receive it.
    package var lastFailure: StoreError? { failure }

    private mutating func postpone(from instant: ContinuousClock.Instant, jitter: Double) {
        let longest = min(Self.pauseMax, Double(1 << min(vainAttempts, 6)))
        vainAttempts = min(vainAttempts + 1, 6)
        nextAttempt = instant + .seconds(longest * (0.5 + 0.5 * jitter))
    }
}
