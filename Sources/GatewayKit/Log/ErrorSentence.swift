import Cryptography
import Logging
import NIOCore
import ObjectStore
import S3Store
import SecureChannel
import SystemSupport
import TransferCommon
import WireProtocol

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// An error as operators see it: one sentence of Sluice. Texts of libraries are not for operators, and may quote what a
/// peer or a server has sent.
package struct ErrorSentence: Equatable, Sendable, CustomStringConvertible {
    package let description: String
    /// The library's own text, for the debug level; `nil` if the sentence leaves nothing out.
    package let libraryText: String?

    package init(_ error: any Error) {
        switch error {
        case let error as StoreError:
            description = error.fullSentence
            libraryText = error.detail == nil ? error.cause.map { String(reflecting: $0) } : nil
        case let error as CryptographyError:
            description = error.sentence
            libraryText = error.reason
        case KeyRingError.cryptography(let cause), IdentityError.cryptography(let cause):
            description = cause.sentence
            libraryText = cause.reason
        case let error as GatewayHomeError:
            description = error.description
            libraryText = error.cause.flatMap { ErrorSentence($0).libraryText }
        case let error as TLSError:
            description = error.description
            libraryText = error.reason
        case let error as ListenError:
            description = error.description
            libraryText = error.libraryText
        case let error as IOError:
            description = Self.sentence(errno: error.errnoCode)
            libraryText = "\(error)"
        case is KeyRingError, is IdentityError, is FileError, is DeviceListError, is InvitationListError,
            is SiteKeyError, is CertificateAuthorityError,
            is PlaintextAddressError, is S3ConfigurationError, is StoreLocationError, is ProxyHeaderError, is WireError:
            description = "\(error)"
            libraryText = nil
        case is DecodingError:
            description = "The content does not have the expected form."
            libraryText = "\(error)"
        case is CancellationError:
            description = "The gateway has given this up because it is stopping."
            libraryText = nil
        default:
            description = "An unexpected error occurred."
            libraryText = String(reflecting: error)
        }
    }

    /// The sentence for a failed call of the system, with what to do where only one thing helps.
    private static func sentence(errno code: CInt) -> String {
        switch code {
        case EMFILE, ENFILE: "The gateway has too few descriptors: \(DescriptorLimit.advice)."
        default: "The system refused it: \(String(cString: strerror(code)))."
        }
    }
}

extension Logger {
    /// Logs an error as a sentence. The text of a library is logged at debug level only.
    func log(_ message: Logger.Message, _ error: any Error, at level: Logger.Level, _ metadata: Logger.Metadata = [:]) {
        let sentence = ErrorSentence(error)
        var all = metadata
        all["error"] = "\(sentence)"
        if let text = sentence.libraryText, logLevel <= .debug { all["error.library"] = "\(text)" }
        log(level: level, message, metadata: all)
    }
}
