/// An identity could not be made or loaded. No case holds anything of a private key.
package enum IdentityError: Error, Hashable {
    case file(FileError)
    /// Making an identity where there is one, or half of one.
    case exists(path: String)
    case nameUnusable
    case privateKeyUnreadable
    case certificateUnreadable
    /// The certificate is for another key than the one beside it.
    case mismatch
    case cryptography(CryptographyError)
}

extension IdentityError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        switch self {
        case .file(let error):
            error.description
        case .exists(let path):
            "\(path.split(separator: "/").last ?? "") exists already and was left as it is. "
                + "Remove it only if no peer knows this identity."
        case .nameUnusable:
            "An identity's name has 1 to 64 characters, none of them a control character."
        case .privateKeyUnreadable:
            "\(Identity.keyFileName) is not an Ed25519 private key in PEM without a passphrase."
        case .certificateUnreadable:
            "\(Identity.certificateFileName) is not an X.509 certificate in PEM with a common name."
        case .mismatch:
            "\(Identity.certificateFileName) does not belong to \(Identity.keyFileName)."
        case .cryptography(let error):
            error.description
        }
    }

    /// With the file's whole path, where there is one.
    package var debugDescription: String {
        switch self {
        case .file(let error): error.debugDescription
        case .exists(let path): "\(path) exists already and was left as it is."
        default: description
        }
    }
}
