import Cryptography
import NIOCore
import ObjectStore
import TransferCommon

/// The failure of one attempt of a request, and what would make another attempt useful.
struct S3AttemptFailure: Error {
    var error: StoreError
    /// What must happen before another attempt.
    var remedy: S3Meaning.Remedy
    /// Whether it is certain that the store has not executed the request.
    var isUndone: Bool
    /// Whether the attempt failed before it had a connection to the store.
    var precedesConnection = false

    init(error: StoreError, remedy: S3Meaning.Remedy, isUndone: Bool) {
        self.error = error
        self.remedy = remedy
        self.isUndone = isUndone
    }

    /// The failure of an attempt that got no complete answer from the store.
    ///
    /// - Parameters:
    ///   - signed: the request of the attempt.
    ///   - isBegun: whether enough bytes were sent for the store to execute the request.
    init(transport error: any Error, of signed: S3SignedRequest, isBegun: Bool) {
        let failure = S3TransportFailure(error, operation: signed.request.operation, host: signed.host)
        let isUndone = !isBegun || failure.precedesConnection
        if Task.isCancelled || error is CancellationError {
            self.init(error: StoreError(.cancelled, cause: error), remedy: .none, isUndone: isUndone)
        } else if let error = error as? StoreError {
            // Only the source of the body throws `StoreError` here. The store has not received the whole body, so it
            // has executed nothing.
            self.init(error: error, remedy: .none, isUndone: true)
        } else if error is NIOTooManyBytesError {
            let damaged = StoreError(.damaged, "The store's answer is too long.", cause: error)
            self.init(error: damaged, remedy: .none, isUndone: isUndone)
        } else if let error = S3CertificateError(error) {
            // No request was sent. Do not try again: a certificate does not change within seconds.
            let unproved = StoreError(.unavailable, error.sentence, cause: error)
            self.init(error: unproved, remedy: .none, isUndone: true)
        } else {
            self.init(error: StoreError(.unavailable, cause: failure), remedy: .time, isUndone: isUndone)
            precedesConnection = failure.precedesConnection
        }
    }

    init(_ error: CryptographyError) {
        let failure = StoreError.cryptographyFailed(error)
        self.init(error: failure, remedy: .none, isUndone: true)
    }

    /// This failure, changed so that the client does not repeat the request: bytes of the body may have been sent. If
    /// the credentials were renewed, the error becomes `.unavailable`, because the next call may succeed.
    var afterBody: S3AttemptFailure {
        let isRenewed = remedy == .newCredentials
        let told = isRenewed ? StoreError(.unavailable, error.sentence, cause: error.cause) : error
        return S3AttemptFailure(error: told, remedy: .none, isUndone: isUndone)
    }

    /// The error for the caller; `.outcomeUnknown` if the request is not idempotent and may have been executed.
    func error(isIdempotent: Bool) -> StoreError {
        isIdempotent || isUndone ? error : StoreError(.outcomeUnknown, cause: error)
    }
}
