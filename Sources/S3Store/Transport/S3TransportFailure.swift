import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import ObjectStore
import SystemSupport
import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The reason why a request got no answer from the store, with the host that did not answer. It is the `cause` of a
/// `StoreError`.
struct S3TransportFailure: StoreErrorDetail {
    /// What happened to the connection.
    enum Kind: Hashable, Sendable {
        /// The name service does not know the host.
        case unresolved(String)
        /// No connection to the host could be made.
        case unreachable(String, why: String)
        /// The server's first bytes are not those of TLS.
        case noTLS(String)
        /// The TLS handshake failed for another reason than the certificate.
        case handshakeFailed(String)
        /// The proxy makes no connection to the host.
        case proxyRefuses(String, why: String)
        /// The connection was made, and then failed.
        case interrupted(String, why: String)
    }

    let operation: String
    let kind: Kind
    let cause: any Error
    private var attempts = 1

    /// - Parameters:
    ///   - operation: the call, as `S3Request.operation` names it.
    ///   - host: host and port of the request.
    init(_ error: any Error, operation: String, host: String) {
        self.operation = operation
        self.kind = Self.kind(error, host)
        self.cause = error
    }

    /// Whether the request failed before there was a connection that could carry it.
    var precedesConnection: Bool {
        switch kind {
        case .unresolved, .unreachable, .noTLS, .handshakeFailed, .proxyRefuses: true
        case .interrupted: false
        }
    }

    /// The name that could not be resolved; `nil` for other failures.
    var unresolvedHost: String? {
        if case .unresolved(let host) = kind { host } else { nil }
    }

    var detail: String { "\(operation): \(reason)".visible(bytesMax: StoreError.detailBytesMax) }

    var facts: StoreCallFacts { StoreCallFacts(operation: operation, attempts: attempts) }

    func afterAttempts(_ count: Int) -> S3TransportFailure {
        var failure = self
        failure.attempts = count
        return failure
    }

    private var reason: String {
        switch kind {
        case .unresolved(let host): "the name \(host) cannot be resolved"
        case .unreachable(let host, let why): "no connection to \(host): \(why)"
        case .noTLS(let host): "\(host) does not speak TLS; the endpoint may have to begin with http://"
        case .handshakeFailed(let host): "the TLS handshake with \(host) failed"
        case .proxyRefuses(let host, let why): "the proxy makes no connection to \(host): \(why)"
        case .interrupted(let host, let why): "\(host): \(why)"
        }
    }

    // MARK: Kinds of errors

    private static func kind(_ error: any Error, _ host: String) -> Kind {
        switch error {
        // The error if connecting to a host name fails. The host may be that of the proxy.
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else { return .unresolved(error.host) }
            return .unreachable("\(error.host):\(error.port)", why: words(first.error))
        // The error if connecting to an IP address fails. For host names the error is `NIOConnectionError`.
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            return .unreachable(host, why: words(error))
        case ChannelError.connectTimeout:
            return .unreachable(host, why: words(error))
        case NIOSSLError.handshakeFailed(let reason):
            return "\(reason)".contains("WRONG_VERSION_NUMBER") ? .noTLS(host) : .handshakeFailed(host)
        case let error as HTTPClientError:
            return kind(error, host)
        default:
            return .interrupted(host, why: words(error))
        }
    }

    private static func kind(_ error: HTTPClientError, _ host: String) -> Kind {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout: .unreachable(host, why: "no answer in time")
        case .tlsHandshakeTimeout: .handshakeFailed(host)
        case .proxyAuthenticationRequired: .proxyRefuses(host, why: "it wants a user name and a password")
        case .invalidProxyResponse: .proxyRefuses(host, why: "it refuses the request")
        case .httpProxyHandshakeTimeout: .proxyRefuses(host, why: "it does not answer in time")
        case .remoteConnectionClosed: .interrupted(host, why: "the connection ended without an answer")
        case .readTimeout, .deadlineExceeded: .interrupted(host, why: "no answer in time")
        case .writeTimeout: .interrupted(host, why: "it takes no more bytes")
        // Errors that a correct request to a correct server does not cause. Their own texts are for programmers.
        default: .interrupted(host, why: "the answer does not follow the rules of HTTP, or the request was ended early")
        }
    }

    /// The reason without texts from the HTTP client, because these may quote headers.
    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as IOError where [EMFILE, ENFILE].contains(error.errnoCode):
            "the gateway has too few descriptors: \(DescriptorLimit.advice)"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: "no answer in time"
        default: "the connection failed"
        }
    }
}
