import Cryptography
import Settings
package import SystemSupport
import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The error of a home that cannot be made or used.
package struct AgentHomeError: Error, Equatable, CustomStringConvertible {
    /// Kinds of error, each with an exit code of its own.
    package enum Kind: Equatable, Sendable {
        case unusable
        /// The settings file cannot be used.
        case settings
        case busy
        /// The disk of the home is full.
        case full
    }

    package let kind: Kind
    package let description: String

    /// Exit status of a program that ends with this error.
    package var exitStatus: ProgramExit {
        switch kind {
        case .unusable: .missingInput
        case .settings: .usage
        case .busy: .tryAgain
        case .full: .outputLost
        }
    }

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

extension AgentHomeError {
    /// The error for a home that cannot be made.
    package init(making path: String, _ error: any Error) {
        if error.isOfFullDisk {
            self.init(
                .full,
                "this machine's disk is full: no agent's home can be made in \(path); make room, then run it again")
        } else {
            self.init(.unusable, "cannot make an agent's home in \(path): \(error.readable)")
        }
    }

    /// The error for a home in which another process is at work.
    ///
    /// - Parameter isService: whether that process is the service.
    init(busy path: String, isService: Bool) {
        self.init(
            .busy,
            isService
                ? "the service sluice-agent run is at work in \(path); put the files into one of its folders, stop it, "
                    + "or name a home of its own with --home"
                : "another sluice-agent is at work in \(path); wait for it, or give this one a home of its own")
    }

    /// The error for a file of the home that cannot be written.
    init(writing path: String, _ error: any Error) {
        if error.isOfFullDisk {
            self.init(.full, "this machine's disk is full: \(path) cannot be written; make room, then run it again")
        } else {
            self.init(.unusable, "cannot write \(path): \(error.readable)")
        }
    }
}

extension Error {
    /// The cause in words, as a part of a sentence. Errors of other libraries have no words for users.
    package var readable: String {
        switch self {
        case is FileError, is IdentityError, is CryptographyError, is CertificateAuthorityError, is AgentHomeError:
            "\(self)".asBeginningOfSentence
        case is DecodingError: "it is not JSON with texts only"
        default: "an unexpected error of the system"
        }
    }

    /// Whether a file could not be written for want of space.
    var isOfFullDisk: Bool {
        var file = self as? FileError
        if case .file(let error)? = self as? IdentityError { file = error }
        return file?.code == ENOSPC || file?.code == EDQUOT
    }
}
