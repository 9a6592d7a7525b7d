import Cryptography
import NIOCore
import ObjectStore
import S3Store
import SystemSupport
import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The exit code and the message for an error that ends a command of the gateway. The message says what is wrong and
/// what the operator can do.
package struct GatewayFailure: Equatable, Sendable {
    /// 64: the arguments or the requested change are invalid · 66: the home is missing or damaged, or OpenSSL fails ·
    /// 69: the store refuses the gateway, or the bucket is missing · 75: a later attempt may succeed.
    package let exitCode: Int32
    /// The message for the operator, of one or two sentences.
    package let sentence: String

    private init(_ exitCode: Int32, _ sentence: String) {
        self.exitCode = exitCode
        self.sentence = sentence
    }

    /// Makes exit code and message for an error that ends a command.
    ///
    /// - Returns: `nil` for an error of a type that has no message for operators.
    package init?(_ error: any Error) {
        switch error {
        case let error as StoreError: self.init(error)
        case let error as StoreLocationError: self.init(64, "--store: \(error)")
        case let error as S3ConfigurationError: self.init(64, "\(error)")
        case let error as GatewayHomeError: self.init(66, "\(error)")
        case let error as DeviceListError: self.init(64, "\(error)")
        case let error as SiteKeyError: self.init(error.kind == .devices ? 75 : 64, "\(error)")
        case let error as CryptographyError: self.init(66, "the system's OpenSSL cannot do what is needed: \(error)")
        case let error as PlaintextAddressError: self.init(64, "\(error)")
        case let error as IOError: self.init(75, Self.listening(error))
        default: return nil
        }
    }

    private static func listening(_ error: IOError) -> String {
        let reason = String(cString: strerror(error.errnoCode))
        return switch error.errnoCode {
        case EADDRINUSE: "cannot listen: another process uses this port; stop it, or name another port with --listen."
        default: "cannot listen: \(reason); name another address or port with --listen."
        }
    }

    private init(_ error: StoreError) {
        let told = error.fullSentence
        if let advice = error.advice {
            // 75 for a name that cannot be resolved: the next attempt may succeed.
            self.init(advice == .name ? 75 : 69, "\(told) \(Self.told(advice))")
            return
        }
        let isOfDisk = error.cause is FileError
        switch error.reason {
        case .denied where isOfDisk:
            self.init(69, "\(told) Let the gateway's user write there, or name another with --store.")
        case .unavailable where isOfDisk:
            self.init(75, "\(told) Check the disk; then start again.")
        case .bucketMissing:
            self.init(69, "\(told) Create it, or name another with --store.")
        case .denied:
            self.init(
                69,
                "\(told) Check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in "
                    + "~/.aws/credentials, or the role of the machine or pod) and the permissions on the bucket "
                    + "(Documentation/stores.md lists them).")
        case .unavailable, .throttled, .outcomeUnknown, .completionInProgress:
            self.init(75, "\(told) Check --s3-endpoint, and that the store runs; then start again.")
        case .full:
            self.init(75, "\(told) Make room, or name another with --store.")
        default:
            self.init(69, told)
        }
    }
    private static func told(_ advice: StoreError.Advice) -> String {
        switch advice {
        case .address: "Name the right one with --s3-endpoint, or the bucket's region with --s3-region."
        case .authority: "Name the file of its authority's certificate with --s3-ca."
        case .host: "Name the store in --s3-endpoint as its certificate does."
        case .name: "Check --s3-endpoint, --s3-addressing and the name service; then start again."
        }
    }
}
