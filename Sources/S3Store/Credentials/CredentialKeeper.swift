import FoundationEssentials
import Logging
import Synchronization
import TransferCommon

/// The credentials that all requests of a store share, renewed before they expire.
///
/// At most one task asks the source at a time. While the old credentials are valid, requests use them and do not wait
/// for that task. Once they are not valid, all requests wait for it.
final class CredentialKeeper: Sendable {
    private typealias Renewal = Task<Result<S3Credentials, StoreError>, Never>

    private struct State {
        var lease = CredentialLease()
        var renewal: Renewal?
        var lastWarning: ContinuousClock.Instant?
        /// Whether the log already says that the store refuses the credentials.
        var isWarned = false

        /// If a store refuses and accepts the credentials in turn, the log says so at most once a minute.
        mutating func mayWarn() -> Bool {
            let now = ContinuousClock.now
            guard !isWarned, lastWarning.map({ now - $0 >= .seconds(60) }) ?? true else { return false }
            lastWarning = now
            isWarned = true
            return true
        }
    }

    private let source: any S3CredentialSource
    private let clock: S3Clock
    private let logger: Logger
    private let state = Mutex(State())

    init(source: any S3CredentialSource, clock: S3Clock, logger: Logger) {
        self.source = source
        self.clock = clock
        self.logger = logger
    }

    /// The credentials for signing a request.
    func credentials() async throws(StoreError) -> S3Credentials {
        let (advice, renewal) = advise()
        switch advice {
        case .use(let credentials), .useAndRenew(let credentials): return credentials
        case .fail(let failure): throw failure
        case .waitForRenewal:
            guard let renewal else { throw StoreError(.unavailable) }
            do {
                return try await renewal.value.get()
            } catch {
                // The source failed. If there are credentials that the store has refused, use them: the refusal may
                // have had another reason.
                guard case .use(let credentials) = advise().advice else { throw error }
                return credentials
            }
        }
    }

    private func advise() -> (advice: CredentialLease.Advice, renewal: Renewal?) {
        state.withLock { state in
            let advice = state.lease.advice(now: clock.now, at: .now)
            switch advice {
            case .use, .fail: return (advice, nil)
            case .useAndRenew, .waitForRenewal: return (advice, pending(&state))
            }
        }
    }

    /// Records that the store accepted a request with these credentials. Logs this if the log says that the store
    /// refuses them.
    func accepted(_ credentials: S3Credentials) {
        let isNews = state.withLock { state in
            state.lease.accepted(credentials)
            guard state.isWarned, state.lease.standing == .trusted else { return false }
            state.isWarned = false
            return true
        }
        if isNews { logger.notice("The store accepts the gateway's credentials again") }
    }

    /// Asks the source for new credentials after the store refused a request with the current ones.
    ///
    /// - Returns: whether the store now has credentials other than the refused ones, so that another attempt is useful.
    /// - Throws: if the source did not answer.
    func renew(
        insteadOf refused: S3Credentials, _ refusal: CredentialLease.Refusal
    ) async throws(StoreError) -> Bool {
        do {
            let isNew = try await renewal(insteadOf: refused, refusal)
            if !isNew { warn(refusal) }
            return isNew
        } catch {
            warn(refusal)
            throw error
        }
    }

    private func renewal(
        insteadOf refused: S3Credentials, _ refusal: CredentialLease.Refusal
    ) async throws(StoreError) -> Bool {
        let renewal = state.withLock { state -> Renewal? in
            // If the source was asked a moment ago, do not ask it again; the code below uses the last result.
            guard state.lease.refused(refused, refusal), state.lease.mayAskSource(at: .now) else { return nil }
            return pending(&state)
        }
        if let renewal { return try await !renewal.value.get().isSame(as: refused) }
        let lease = state.withLock { $0.lease }
        if let credentials = lease.credentials, !credentials.isSame(as: refused) { return true }
        if let failure = lease.lastFailure { throw failure }
        return false
    }

    /// Does not log a refusal without an error code: it may have another reason, and one missing permission causes many
    /// such refusals.
    private func warn(_ refusal: CredentialLease.Refusal) {
        guard refusal == .certain, state.withLock({ $0.mayWarn() }) else { return }
        logger.warning("The store refuses the gateway's credentials")
    }

    /// Cancels a running renewal. Make no call after this one.
    func shutdown() async {
        let renewal = state.withLock { $0.renewal }
        renewal?.cancel()
        _ = await renewal?.value
    }

    /// The renewal is an unstructured task, because it serves all requests that arrive while it runs. It continues even
    /// if the request that started it is cancelled or does not wait.
    private func pending(_ state: inout State) -> Renewal {
        if let renewal = state.renewal { return renewal }
        let old = state.lease.credentials
        let renewal = Renewal { await self.ask(insteadOf: old) }
        state.renewal = renewal
        return renewal
    }

    private func ask(insteadOf old: S3Credentials?) async -> Result<S3Credentials, StoreError> {
        var generator = SystemRandomNumberGenerator()
        let jitter = Double.random(in: 0...1, using: &generator)
        do throws(StoreError) {
            guard let new = try await source.credentials(insteadOf: old) else {
                throw StoreError(.denied, "No credentials for the S3 store were found.")
            }
            guard new.isPrintable else {
                throw StoreError(
                    .denied, "The credentials for the S3 store contain a line end or another invalid character.")
            }
            let hadFailed = state.withLock { state in
                let hadFailed = state.lease.lastFailure != nil
                state.renewal = nil
                state.lease.received(new, now: clock.now, at: .now, jitter: jitter)
                return hadFailed
            }
            if hadFailed {
                logger.notice("The source of the store's credentials answers again")
            } else if old != nil {
                logger.debug("The credentials for the store were renewed")
            }
            return .success(new)
        } catch {
            let failure = state.withLock { state in
                state.renewal = nil
                state.lease.failed(error, at: .now, jitter: jitter)
                return state.lease.lastFailure ?? error
            }
            if old != nil {
                logger.warning(
                    "The credentials for the store could not be renewed; the old ones are used until they expire",
                    metadata: ["store.error": "\(error.shortDescription)", "store.reason": "\(error.sentence)"])
            }
            return .failure(failure)
        }
    }
}
