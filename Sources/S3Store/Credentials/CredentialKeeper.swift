import FoundationEssentials
import Logging
import ObjectStore
import Synchronization

/// The credentials that all requests of a store share, renewed ahead of their expiry.
///
/// At most one task asks the source at any time. While the old ones are good nobody waits for it; otherwise all wait
/// for the same answer.
final class CredentialKeeper: Sendable {
    private typealias Renewal = Task<Result<S3Credentials, StoreError>, Never>

    private struct State {
        var lease = CredentialLease()
        var renewal: Renewal?
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

    /// Those to sign a request with.
    func credentials() async throws(StoreError) -> S3Credentials {
        let (advice, renewal) = state.withLock { state -> (CredentialLease.Advice, Renewal?) in
            let advice = state.lease.advice(now: clock.now, at: .now)
            switch advice {
            case .use, .fail: return (advice, nil)
            case .useAndRenew, .waitForRenewal: return (advice, pending(&state))
            }
        }
        switch advice {
        case .use(let credentials), .useAndRenew(let credentials): return credentials
        case .fail(let failure): throw failure
        case .waitForRenewal:
            guard let renewal else { throw StoreError(.unavailable) }
            return try await renewal.value.get()
        }
    }

    /// Asks for others than those that the store has just refused.
    ///
    /// - Returns: whether there are any.
    /// - Throws: where the source did not answer, so that nobody knows.
    func renew(insteadOf refused: S3Credentials) async throws(StoreError) -> Bool {
        let renewal = state.withLock { state -> Renewal? in
            guard state.lease.refused(refused) else { return nil }
            switch state.lease.advice(now: clock.now, at: .now) {
            case .waitForRenewal: return pending(&state)
            // Asked a moment ago; what came of it is told below.
            case .use, .useAndRenew, .fail: return nil
            }
        }
        if let renewal { return try await !renewal.value.get().isSame(as: refused) }
        let lease = state.withLock { $0.lease }
        if let credentials = lease.credentials, !credentials.isSame(as: refused) { return true }
        if let failure = lease.lastFailure { throw failure }
        return false
    }

    /// Ends what is under way. No call may follow.
    func shutdown() async {
        let renewal = state.withLock { $0.renewal }
        renewal?.cancel()
        _ = await renewal?.value
    }

    /// The one that is under way, or a new one. Not structured: it serves whoever asks while it runs, and the request
    /// that began it may be cancelled or not even wait.
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
                throw StoreError(.denied, "The credentials for the S3 store hold a line end or another odd character.")
            }
            state.withLock { state in
                state.renewal = nil
                state.lease.received(new, now: clock.now, at: .now, jitter: jitter)
            }
            if old != nil { logger.debug("The credentials for the store were renewed") }
            return .success(new)
        } catch {
            let failure = state.withLock { state in
                state.renewal = nil
                state.lease.failed(error, at: .now, jitter: jitter)
                return state.lease.lastFailure ?? error
            }
            if old != nil {
                logger.warning(
                    "The credentials for the store could not be renewed; the old ones are used while they last",
                    metadata: ["store.error": "\(error.shortDescription)", "store.reason": "\(error.sentence)"])
            }
            return .failure(failure)
        }
    }
}
