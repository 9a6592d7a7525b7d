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

/// The exit code and the message for an error that ends a command of the gateway. The message is one sentence: what is
/// wrong, and then what the operator can do.
package struct GatewayFailure: Equatable, Sendable {
    /// 64: the arguments or the requested change are invalid · 66: the home is missing or damaged, or OpenSSL fails ·
    /// 69: the store refuses the gateway, or the bucket is missing · 74: the disk is full · 75: a later attempt may
    /// succeed.
    package let exitCode: Int32
    /// The message for the operator.
    package let sentence: String

    private init(_ exitCode: Int32, _ sentence: String) {
        self.exitCode = exitCode
        self.sentence = sentence
    }

    /// - Parameters:
    ///   - cause: what is wrong; a full stop at its end is left out.
    ///   - advice: what the operator can do; `nil` if the cause says it.
    private init(_ exitCode: Int32, _ cause: String, _ advice: String?) {
        var text = cause[...]
        while text.utf8.last == UInt8(ascii: ".") { text = text.dropLast() }
        self.init(exitCode, advice.map { "\(text); \($0)." } ?? "\(text).")
    }

    /// Makes exit code and message for an error that ends a command.
    ///
    /// - Returns: `nil` for an error of a type that has no message for operators.
    package init?(_ error: any Error) {
        switch error {
        case let error as StoreError: self.init(error)
        case let error as StoreLocationError: self.init(64, "--store: \(error)")
        case let error as S3ConfigurationError: self.init(64, "\(error)")
        case let error as GatewayHomeError: self.init(error)
        case let error as FileError: self.init(error, of: error.description)
        case let error as DeviceListError: self.init(64, "\(error)")
        case let error as SiteKeyError: self.init(error.kind == .devices ? 75 : 64, "\(error)")
        case let error as CryptographyError: self.init(66, error.sentence, Self.checkLibrary)
        case let error as PlaintextAddressError: self.init(64, "\(error)")
        case let error as IOError: self.init(listening: error)
        case is SocketAddressError:
            self.init(64, "cannot listen: the host of --listen cannot be resolved", Self.otherAddress)
        case is ChannelError, is EventLoopError:
            self.init(75, "cannot listen: the system refused it", Self.otherAddress)
        case is KeyRingError, is IdentityError, is CertificateAuthorityError, is InvitationListError:
            self.init(66, "\(ErrorSentence(error))", nil)
        default: return nil
        }
    }

    /// The failure for an error that no other message fits. Its own text is for the log at debug level.
    package static let unexpected = GatewayFailure(
        75, "an unexpected error has ended the command", "repeat the command, and report it if that does not help")

    private static let checkLibrary = "check the system's installation of OpenSSL 3"
    private static let otherAddress = "name another address or port with --listen"
    private static let moreDescriptors = "\(DescriptorLimit.advice), and start again"

    // MARK: Files and sockets

    private init(_ error: GatewayHomeError) {
        if let file = error.fileError {
            self.init(file, of: error.description)
        } else {
            self.init(66, "\(error)", error.isOfLibrary ? Self.checkLibrary : nil)
        }
    }

    /// - Parameter cause: the sentence that includes the error of the file.
    private init(_ error: FileError, of cause: String) {
        switch error.code {
        case ENOSPC, EDQUOT: self.init(74, cause, "make room on the disk, and repeat the command")
        case EROFS: self.init(66, cause, "mount the file system for writing, and repeat the command")
        case EMFILE, ENFILE: self.init(75, cause, Self.moreDescriptors)
        case EACCES, EPERM: self.init(66, cause, "run the command as the user to whom the home belongs")
        default: self.init(66, cause, nil)
        }
    }

    private init(listening error: IOError) {
        switch error.errnoCode {
        case EADDRINUSE:
            self.init(
                75, "cannot listen: another process uses this port", "stop it, or name another port with --listen")
        case EMFILE, ENFILE:
            self.init(75, "cannot listen: this process has too few descriptors", Self.moreDescriptors)
        default:
            self.init(75, "cannot listen: \(String(cString: strerror(error.errnoCode)))", Self.otherAddress)
        }
    }

    // MARK: Stores

    private init(_ error: StoreError) {
        let cause = error.fullSentence
        if let advice = error.advice {
            // 75 for a name that cannot be resolved: the next attempt may succeed.
            self.init(advice == .name ? 75 : 69, cause, Self.told(advice))
        } else if let file = error.cause as? FileError {
            self.init(ofDirectory: error.reason, file, cause)
        } else {
            self.init(ofServer: error.reason, cause)
        }
    }

    private init(ofDirectory reason: StoreError.Reason, _ error: FileError, _ cause: String) {
        switch reason {
        case .denied where error.code == EROFS:
            self.init(69, cause, "mount it for writing, or name another store with --store")
        case .denied:
            self.init(69, cause, "let the gateway's user write there, or name another store with --store")
        case .unavailable where [EMFILE, ENFILE].contains(error.code): self.init(75, cause, "then start again")
        case .unavailable: self.init(75, cause, "check the disk, and start again")
        default: self.init(ofServer: reason, cause)
        }
    }

    private init(ofServer reason: StoreError.Reason, _ cause: String) {
        switch reason {
        case .bucketMissing: self.init(69, cause, "create it, or name another store with --store")
        case .denied:
            self.init(
                69, cause,
                "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws/credentials, "
                    + "or the role of the machine or pod) and the permissions on the bucket "
                    + "(Documentation/stores.md lists them)")
        case .unavailable, .throttled, .outcomeUnknown, .completionInProgress:
            self.init(75, cause, "check --s3-endpoint and that the store runs, and start again")
        case .full: self.init(75, cause, "make room, or name another store with --store")
        default: self.init(69, cause, nil)
        }
    }

    private static func told(_ advice: StoreError.Advice) -> String {
        switch advice {
        case .address: "name the right one with --s3-endpoint, or the bucket's region with --s3-region"
        case .authority: "name the file of its authority's certificate with --s3-ca"
        case .host: "name the store in --s3-endpoint as its certificate does"
        case .name: "check --s3-endpoint, --s3-addressing and the name service, and start again"
        }
    }
}
