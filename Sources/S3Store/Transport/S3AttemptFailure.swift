import AsyncHTTPClient
import Cryptography
import NIOCore
import NIOPosix
import ObjectStore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Why one attempt at a request failed, and what that says about another one.
struct S3AttemptFailure: Error {
    var error: StoreError
    /// What has to happen before another attempt.
    var remedy: S3Meaning.Remedy
    /// The store has surely not done what was asked.
    var isUndone: Bool
    /// There was not even a connection.
    var precedesConnection = false

    init(error: StoreError, remedy: S3Meaning.Remedy, isUndone: Bool) {
        self.error = error
        self.remedy = remedy
        self.isUndone = isUndone
    }

    /// Nothing came back, or not all of it.
    ///
    /// - Parameter isBegun: enough has gone out for the store to do what was asked.
    init(transport error: any Error, isBegun: Bool) {
        let isUndone = !isBegun || Self.precedesConnection(error)
        if Task.isCancelled || error is CancellationError {
            self.init(error: StoreError(.cancelled, cause: error), remedy: .none, isUndone: isUndone)
        } else if let error = error as? StoreError {
            // The body's own.
            self.init(error: error, remedy: .none, isUndone: true)
        } else if error is NIOTooManyBytesError {
            let damaged = StoreError(.damaged, "The store's answer is too long.", cause: error)
            self.init(error: damaged, remedy: .none, isUndone: isUndone)
        } else if let error = S3CertificateError(error) {
            // Nothing has gone out, and no certificate changes within seconds.
            let unproved = StoreError(.unavailable, error.sentence, cause: error)
            self.init(error: unproved, remedy: .none, isUndone: true)
        } else {
            self.init(error: StoreError(.unavailable, cause: error), remedy: .time, isUndone: isUndone)
            precedesConnection = Self.precedesConnection(error)
        }
    }

    init(_ error: CryptographyError) {
        let failure = StoreError(.unavailable, "The cryptographic library failed.", cause: error)
        self.init(error: failure, remedy: .none, isUndone: true)
    }

    /// The same where the body has begun and cannot be sent again: what was remedied helps the caller's next attempt.
    var afterBody: S3AttemptFailure {
        let isRenewed = remedy == .newCredentials
        let told = isRenewed ? StoreError(.unavailable, error.sentence, cause: error.cause) : error
        return S3AttemptFailure(error: told, remedy: .none, isUndone: isUndone)
    }

    /// What the caller is told.
    func error(isIdempotent: Bool) -> StoreError {
        isIdempotent || isUndone ? error : StoreError(.outcomeUnknown, cause: error)
    }

    private static func precedesConnection(_ error: any Error) -> Bool {
        switch error {
        case is NIOConnectionError: true
        // To an address; the one above is to a name.
        case let error as IOError: error.errnoCode == ECONNREFUSED
        case let error as HTTPClientError:
            error == .connectTimeout || error == .getConnectionFromPoolTimeout || error == .tlsHandshakeTimeout
        case let error as ChannelError:
            if case .connectTimeout = error { true } else { false }
        default: false
        }
    }
}
