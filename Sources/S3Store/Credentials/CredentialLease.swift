package import FoundationEssentials
package import TransferCommon

/// Decides when to use the credentials and when to ask their source for new ones. It is a state machine without I/O.
/// The caller passes two times. The time of the store's clock decides whether credentials have expired. The time of a
/// monotonic clock decides when the source may be asked again.
///
///     from     event                                                       to
///     empty    the source returns credentials                              trusted
///     trusted  the store refuses a request, perhaps for another reason     doubted
///     trusted  the store names the credentials as the reason of a refusal  refused
///     doubted  the store accepts a request                                 trusted
///     doubted  the store refuses another request                           refused
///     doubted  the source returns other credentials                        untried
///     refused  the store accepts a request                                 trusted
///     refused  the source returns other credentials                        untried
///     untried  the store accepts a request                                 trusted
///     untried  the store refuses a request                                 refused
///
/// - Only the request that was refused waits for the source. A refusal that may have another reason, such as a missing
///   right on one key or a header that a proxy changed, delays no other request.
/// - In *refused* all requests wait for the source, but only until it answers or fails. After a failure, requests use
///   the refused credentials, and the store judges them again: one wrong refusal must not stop a gateway whose source
///   is away.
/// - Some sources issue new credentials each time, and the store may refuse them all. So after a refusal has made the
///   gateway ask the source, the gateway does not ask it again for a while. These pauses grow until the store accepts a
///   request.
/// - Expired credentials are not tried while the source is away, because the store refuses them for certain.
package struct CredentialLease: Sendable {
    /// What a request has to do to get credentials.
    package enum Advice: Sendable {
        case use(S3Credentials)
        /// The request uses these credentials and starts a renewal.
        case useAndRenew(S3Credentials)
        case waitForRenewal
        /// The request fails with this error: the source failed a moment ago, and it is too early to ask it again.
        case fail(StoreError)
    }

    /// What the store thinks of the credentials, as the table in the comment on `CredentialLease` lists it.
    package enum Standing: String, CaseIterable, Hashable, Sendable {
        /// The source has not returned any credentials yet.
        case empty
        /// The store has refused no request since it last accepted one.
        case trusted
        /// The store has refused one request, perhaps because of the credentials.
        case doubted
        /// The store has refused the credentials.
        case refused
        /// The credentials have replaced doubted or refused ones, and the store has not judged them.
        case untried
    }

    /// How certain it is that the credentials are the reason of a refusal.
    package enum Refusal: CaseIterable, Hashable, Sendable {
        /// The error code names the credentials: they have expired, or the store does not know them.
        case certain
        /// The refusal may have another reason. It has no error code, like every answer to HEAD, or says only that the
        /// signature is wrong.
        case possible
    }

    private enum State {
        case empty
        case trusted(Held)
        case doubted(Held)
        case refused(Held)
        case untried(Held)
    }

    private struct Held {
        var credentials: S3Credentials
        /// When to ask for newer credentials; `nil` for credentials that do not expire.
        var renewalTime: Date?
    }

    private static let leadMax: TimeInterval = 600
    private static let pauseMax: TimeInterval = 60

    private var state = State.empty
    private var failure: StoreError?
    private var vainAttempts = 0
    private var nextAttempt: ContinuousClock.Instant?

    package init() {}

    /// The last received credentials, even if the store has refused them.
    package var credentials: S3Credentials? { held?.credentials }

    /// What the store thinks of the last received credentials.
    package var standing: Standing {
        switch state {
        case .empty: .empty
        case .trusted: .trusted
        case .doubted: .doubted
        case .refused: .refused
        case .untried: .untried
        }
    }

    private var held: Held? {
        switch state {
        case .empty: nil
        case .trusted(let held), .doubted(let held), .refused(let held), .untried(let held): held
        }
    }

    // MARK: What to do

    /// Returns what a request has to do.
    ///
    /// - Parameters:
    ///   - now: time of the store's clock.
    ///   - instant: time of a monotonic clock.
    package func advice(now: Date, at instant: ContinuousClock.Instant) -> Advice {
        let mayAsk = mayAskSource(at: instant)
        guard let held else {
            guard !mayAsk, let failure else { return .waitForRenewal }
            return .fail(failure)
        }
        if let expiration = held.credentials.expiration, now >= expiration {
            if mayAsk { return .waitForRenewal }
            // If the source returned these credentials although they have expired by the local clock, that clock may be
            // wrong: let the store judge them.
            return failure.map { .fail($0) } ?? .use(held.credentials)
        }
        if case .refused = state, mayAsk {
            // If the source failed the last time, it may fail again: do not wait for it.
            return failure == nil ? .waitForRenewal : .useAndRenew(held.credentials)
        }
        guard let renewalTime = held.renewalTime, now >= renewalTime, mayAsk else { return .use(held.credentials) }
        return .useAndRenew(held.credentials)
    }

    /// Whether the source may be asked now. For a while after the source failed, and after the gateway asked it because
    /// of a refusal, the gateway does not ask it.
    package func mayAskSource(at instant: ContinuousClock.Instant) -> Bool {
        nextAttempt.map { instant >= $0 } ?? true
    }

    /// The error of the last attempt to get credentials, in the form in which requests receive it. `nil` if the source
    /// returned credentials.
    package var lastFailure: StoreError? { failure }

    // MARK: Answers of the store

    /// Records that the store refused a request with these credentials.
    ///
    /// - Returns: whether the credentials are the current ones; `false` if others have replaced them meanwhile.
    package mutating func refused(_ refused: S3Credentials, _ refusal: Refusal) -> Bool {
        guard let held, held.credentials.isSame(as: refused) else { return false }
        switch (state, refusal) {
        case (.trusted, .possible):
            state = .doubted(held)
        case (.trusted, .certain), (.doubted, .certain):
            // A pause may have begun in the state *doubted*, when the refusal might still have had another reason. Now
            // the reason is certain: end the pause, so that the source is asked at once. A pause after a failure of the
            // source stays.
            if failure == nil { nextAttempt = nil }
            state = .refused(held)
        case (.doubted, .possible), (.untried, _):
            state = .refused(held)
        case (.refused, _), (.empty, _):
            break
        }
        return true
    }

    /// Records that the store accepted a request with these credentials.
    package mutating func accepted(_ accepted: S3Credentials) {
        switch state {
        case .doubted(let held) where held.credentials.isSame(as: accepted),
            .refused(let held) where held.credentials.isSame(as: accepted):
            state = .trusted(held)
        case .untried(let held) where held.credentials.isSame(as: accepted):
            state = .trusted(held)
            vainAttempts = 0
        case .empty, .trusted, .doubted, .refused, .untried:
            break
        }
    }

    // MARK: Answers of the source

    /// Records credentials that the source has returned.
    ///
    /// - Parameter jitter: a random number in 0...1. It spreads renewals, so that gateways that started together do not
    ///   renew together.
    package mutating func received(
        _ new: S3Credentials, now: Date, at instant: ContinuousClock.Instant, jitter: Double
    ) {
        let lifetime = new.expiration?.timeIntervalSince(now)
        let renewalTime = new.expiration.map { expiration in
            expiration - min(Self.leadMax, max(0, lifetime ?? 0) / 4) * (0.75 + 0.25 * jitter)
        }
        let held = Held(credentials: new, renewalTime: renewalTime)
        failure = nil
        let isDisputed = take(held)
        if isDisputed || lifetime.map({ $0 <= 0 }) ?? false {
            // The gateway asked because of a refusal, or the new credentials have already expired. Wait before asking
            // the source again; otherwise each request would ask it.
            postpone(from: instant, jitter: jitter)
        } else {
            vainAttempts = 0
            nextAttempt = nil
        }
    }

    /// - Returns: whether the store has accepted no request since it refused one. If so, the new credentials may be
    ///   wrong, too.
    private mutating func take(_ new: Held) -> Bool {
        switch state {
        case .doubted(let old) where old.credentials.isSame(as: new.credentials):
            state = .doubted(new)
        case .refused(let old) where old.credentials.isSame(as: new.credentials):
            state = .refused(new)
        case .doubted, .refused, .untried:
            state = .untried(new)
        case .empty, .trusted:
            state = .trusted(new)
            return false
        }
        return true
    }

    /// Records that the source has no credentials or did not answer. If the source had credentials before, the failure
    /// counts as temporary (`.unavailable`).
    package mutating func failed(_ error: StoreError, at instant: ContinuousClock.Instant, jitter: Double) {
        failure = credentials == nil ? error : StoreError(.unavailable, error.sentence, cause: error)
        postpone(from: instant, jitter: jitter)
    }

    private mutating func postpone(from instant: ContinuousClock.Instant, jitter: Double) {
        let longest = min(Self.pauseMax, Double(1 << min(vainAttempts, 6)))
        vainAttempts = min(vainAttempts + 1, 6)
        nextAttempt = instant + .seconds(longest * (0.5 + 0.5 * jitter))
    }
}
