package import Cryptography
import SecureChannel

/// What the gateways of a site show themselves with, and what they will (specification §5.1).
package struct SiteKeys: Sendable {
    /// The present key, with the certificates that are shown for it.
    package let identity: Identity
    /// The key that is announced as the next one.
    package let next: Fingerprint?
    /// Why what looks like an announcement is none; `nil` where nothing is wrong.
    package let problem: GatewayHomeError?
}

/// Why the site's key was not changed, and what to do about it.
package struct SiteKeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What a program does about it: another exit code for each.
    package enum Kind: Equatable, Sendable {
        /// There is nothing that could be done.
        case pointless
        /// Some devices would be locked out, or might be.
        case devices
    }

    package let kind: Kind
    package let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
