package import FoundationEssentials
package import ObjectStore
import TransferCommon

/// When credentials are used and when others are asked for: a pure machine, told the time twice. The store's clock says
/// what has expired; a clock that nobody sets says when to try again.
package struct CredentialLease: Sendable {
    /// What a request is to do.
    package enum Advice: Sendable {
        case use(S3Credentials)
        /// There is time: others are asked for meanwhile.
        case useAndRenew(S3Credentials)
        case waitForRenewal
        /// Others were asked for a moment ago, in vain.
        case fail(StoreError)
    }

    private static let leadMax: TimeInterval = 600
    private static let pauseMax: TimeInterval = 60

    /// The last that were given, refused or not.
    package private(set) var credentials: S3Credentials?
    private var isRefused = false
    private var renewalTime: Date?
    private var failure: StoreError?
    private var vainAttempts = 0
    private var nextAttempt: ContinuousClock.Instant?

    package init() {}

    /// Asked before each request.
    ///
    /// - Parameter now: by the store's clock.
    package func advice(now: Date, at instant: ContinuousClock.Instant) -> Advice {
        let mayTry = nextAttempt.map { instant >= $0 } ?? true
        guard let credentials else {
            guard !mayTry, let failure else { return .waitForRenewal }
            return .fail(failure)
        }
        let isOver = isRefused || credentials.expiration.map { now >= $0 } ?? false
        if isOver {
            if mayTry { return .waitForRenewal }
            // The source had no better ones, so the store may judge; or it did not answer, which is an outage.
            return failure.map { .fail($0) } ?? .use(credentials)
        }
        guard let renewalTime, now >= renewalTime, mayTry else { return .use(credentials) }
        return .useAndRenew(credentials)
    }

    /// The store would not have them.
    ///
    /// - Returns: whether these are the ones in use; not, where others have taken their place meanwhile.
    package mutating func refused(_ refused: S3Credentials) -> Bool {
        guard let credentials, credentials.isSame(as: refused) else { return false }
        isRefused = true
        return true
    }

    /// The source has answered.
    ///
    /// - Parameter jitter: 0...1, so that gateways that began together do not ask together.
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
            // Of no use yet: not asked again with every request.
            postpone(from: instant, jitter: jitter)
        } else {
            vainAttempts = 0
            nextAttempt = nil
        }
    }

    /// The source has none, or did not answer. What worked once is expected to work again.
    package mutating func failed(_ error: StoreError, at instant: ContinuousClock.Instant, jitter: Double) {
        failure = credentials == nil ? error : StoreError(.unavailable, error.sentence, cause: error)
        postpone(from: instant, jitter: jitter)
    }

    /// What the last attempt failed with, as requests are told.
    package var lastFailure: StoreError? { failure }

    private mutating func postpone(from instant: ContinuousClock.Instant, jitter: Double) {
        let longest = min(Self.pauseMax, Double(1 << min(vainAttempts, 6)))
        vainAttempts = min(vainAttempts + 1, 6)
        nextAttempt = instant + .seconds(longest * (0.5 + 0.5 * jitter))
    }
}
