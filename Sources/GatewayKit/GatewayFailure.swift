import Cryptography
import ObjectStore
import S3Store
package import SystemSupport
import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The exit status and the message for an error that ends a command of the gateway. The message is one sentence: what
/// is wrong, and then what the operator can do.
package struct GatewayFailure: Equatable, Sendable {
    /// `usage`: the arguments or the requested change are invalid · `missingInput`: the home is missing or damaged, or
    /// OpenSSL fails · `storeRefuses`: the store refuses the gateway, or the bucket is missing · `outputLost`: the
    /// disk is full · `tryAgain`: a later attempt may succeed.
    package let exitStatus: ProgramExit
    /// The message for the operator.
    package let sentence: String

    package var exitCode: Int32 { exitStatus.rawValue }

    private init(_ exitStatus: ProgramExit, _ sentence: String) {
        self.exitStatus = exitStatus
        self.sentence = sentence
    }

    /// - Parameters:
    ///   - cause: what is wrong; a full stop at its end is left out.
    ///   - advice: what the operator can do; `nil` if the cause says it.
    private init(_ exitStatus: ProgramExit, _ cause: String, _ advice: String?) {
        var text = cause[...]
        while text.utf8.last == UInt8(ascii: ".") { text = text.dropLast() }
        self.init(exitStatus, advice.map { "\(text); \($0)." } ?? "\(text).")
    }

    /// Makes exit code and message for an error that ends a command.
    ///
    /// - Returns: `nil` for an error of a type that has no message for operators.
    package init?(_ error: any Error) {
        switch error {
        case let error as StoreError: self.init(error)
        case let error as StoreLocationError: self.init(.usage, "--store: \(error)")
        case let error as S3ConfigurationError: self.init(.usage, "\(error)")
        case let error as GatewayHomeError: self.init(error)
        case let error as FileError: self.init(error, of: error.description)
        case let error as DeviceListError: self.init(.usage, "\(error)")
        case let error as SiteKeyError: self.init(error.kind == .devices ? .tryAgain : .usage, "\(error)")
        case let error as CryptographyError: self.init(.missingInput, error.sentence, Self.checkLibrary)
        case let error as PlaintextAddressError: self.init(.usage, "\(error)")
        case let error as ListenError: self.init(error.exitStatus, "\(error)", error.advice)
        case is KeyRingError, is IdentityError, is CertificateAuthorityError, is InvitationListError:
            self.init(.missingInput, "\(ErrorSentence(error))", nil)
        default: return nil
        }
    }

    /// The failure for an error that no other message fits. It is a defect of this program, so the message has the
    /// error's type and its own text.
    package static func unexpected(_ error: any Error) -> GatewayFailure {
        let text = String(String.UnicodeScalarView("\(error)".unicodeScalars.prefix(300))).withVisibleControls
        return GatewayFailure(
            .failure, "an unexpected error has ended the command (\(type(of: error)): \(text))",
            "report it with this text")
    }

    private static let checkLibrary = "check the system's installation of OpenSSL 3"
    private static let moreDescriptors = "\(DescriptorLimit.advice), and start again"

    // MARK: Files

    private init(_ error: GatewayHomeError) {
        if let file = error.fileError {
            self.init(file, of: error.description)
        } else {
            self.init(.missingInput, "\(error)", error.remedy ?? (error.isOfLibrary ? Self.checkLibrary : nil))
        }
    }

    /// - Parameter cause: the sentence that includes the error of the file.
    private init(_ error: FileError, of cause: String) {
        switch error.code {
        case ENOSPC, EDQUOT: self.init(.outputLost, cause, "make room on the disk, and repeat the command")
        case EROFS: self.init(.missingInput, cause, "mount the file system for writing, and repeat the command")
        case EMFILE, ENFILE: self.init(.tryAgain, cause, Self.moreDescriptors)
        case EACCES, EPERM: self.init(.missingInput, cause, "run the command as the user to whom the home belongs")
        case ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG: self.init(.missingInput, cause, nil)
        // Another failure of the system, such as EIO, may be over at the next attempt.
        default: self.init(error.isOfSystem ? .tryAgain : .missingInput, cause, nil)
        }
    }

    // MARK: Stores

    private init(_ error: StoreError) {
        let cause = error.fullSentence
        if let advice = error.advice {
            // 75 for a name that cannot be resolved: the next attempt may succeed.
            self.init(advice == .name ? .tryAgain : .storeRefuses, cause, Self.told(advice))
        } else if let file = error.cause as? FileError {
            self.init(ofDirectory: error.reason, file, cause)
        } else {
            self.init(ofServer: error.reason, cause)
        }
    }

    private init(ofDirectory reason: StoreError.Reason, _ error: FileError, _ cause: String) {
        switch reason {
        case .denied where error.code == EROFS:
            self.init(.storeRefuses, cause, "mount it for writing, or name another store with --store")
        case .denied:
            self.init(.storeRefuses, cause, "let the gateway's user write there, or name another store with --store")
        case .unavailable where [EMFILE, ENFILE].contains(error.code): self.init(.tryAgain, cause, "then start again")
        case .unavailable: self.init(.tryAgain, cause, "check the disk, and start again")
        default: self.init(ofServer: reason, cause)
        }
    }

    private init(ofServer reason: StoreError.Reason, _ cause: String) {
        switch reason {
        case .bucketMissing: self.init(.storeRefuses, cause, "create it, or name another store with --store")
        case .denied:
            self.init(
                .storeRefuses, cause,
                "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws/credentials, "
                    + "or the role of the machine or pod) and the permissions on the bucket "
                    + "(Documentation/stores.md lists them)")
        case .unavailable, .throttled, .outcomeUnknown, .completionInProgress:
            self.init(.tryAgain, cause, "check --s3-endpoint and that the store runs, and start again")
        case .full: self.init(.tryAgain, cause, "make room, or name another store with --store")
        default: self.init(.storeRefuses, cause, nil)
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
