package import SystemSupport
import TransferCommon
import WireProtocol

/// The error if an identity cannot be made or loaded. No case contains any part of a private key.
package enum IdentityError: Error, Hashable {
    case file(FileError)
    /// A file of an identity exists already in the directory in which a new identity was to be made.
    case exists(path: String)
    case nameUnusable
    case privateKey(PrivateKeyError)
    case certificateUnreadable
    /// The certificate is for another key than the key in the same directory.
    case mismatch
    case cryptography(CryptographyError)

    /// Whether a file of the identity is missing.
    package var isMissing: Bool {
        guard case .file(let error) = self else { return false }
        return error.isMissing
    }
}

extension IdentityError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        switch self {
        case .file(let error):
            error.description
        case .exists(let path):
            "\(path.lastPathSegment) exists already and was left as it is. "
                + "Remove it only if no peer knows this identity."
        case .nameUnusable:
            "An identity's name has 1 to 64 characters, none of them a control character."
        case .privateKey(.unreadable):
            "\(Identity.keyFileName) is not a private key in PEM; Ed25519 and P-256 keys are possible."
        case .privateKey(.encrypted):
            "\(Identity.keyFileName) is encrypted, and the program cannot ask for a passphrase: "
                + "decrypt it (openssl pkey -in … -out …) and let only its owner read it."
        case .privateKey(.unsupported(let kind)):
            "\(Identity.keyFileName) is a key of the kind \(kind); only Ed25519 and P-256 (prime256v1) are possible."
        case .certificateUnreadable:
            "\(Identity.certificateFileName) is not an X.509 certificate in PEM with a name."
        case .mismatch:
            "\(Identity.certificateFileName) does not belong to \(Identity.keyFileName): its first certificate is "
                + "for another key. Put the one that was signed for \(Identity.requestFileName) there."
        case .cryptography(let error):
            error.description
        }
    }

    /// The text of `description`, with the complete path of the file.
    package var debugDescription: String {
        switch self {
        case .file(let error): error.debugDescription
        case .exists(let path): "\(path) exists already and was left as it is."
        default: description
        }
    }
}
