package import Cryptography
import SecureChannel

/// The keys that the gateways of a site prove now and next (specification §5.1).
package struct SiteKeys: Sendable {
    /// The present key, with the certificates that the gateway presents.
    package let identity: Identity
    /// The announced next key; `nil` if there is none.
    package let next: Fingerprint?
    /// Why an existing announcement is invalid; `nil` if there is no problem.
    package let problem: GatewayHomeError?
}

/// Why the site's key was not changed, and what the operator can do.
package struct SiteKeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Determines the exit code of the command.
    package enum Kind: Equatable, Sendable {
        /// There is nothing to do.
        case pointless
        /// Some devices would not, or might not, accept the gateway any more.
        case devices
    }

    package let kind: Kind
    package let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
