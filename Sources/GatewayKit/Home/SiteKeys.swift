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

extension SiteKeys {
    /// - Parameters:
    ///   - identity: the present key.
    ///   - files: the files with the announcement.
    init(_ identity: Identity, announcedIn files: SiteKeyFiles) {
        var next: Fingerprint?
        var problem: GatewayHomeError?
        do {
            if let announced = try files.announced() {
                let fingerprint = try announced.first.fingerprint()
                // If the present key is the announced key, a switch was interrupted before it removed next.crt. Then
                // nothing is announced any more.
                if fingerprint != identity.fingerprint {
                    guard identity.hasSigned(announced) else {
                        throw GatewayHomeError("\(files.nextCertificatePath) is not signed by the present key")
                    }
                    next = fingerprint
                }
            }
        } catch {
            problem = GatewayHomeError("the next key is not announced: \(error)")
        }
        self.init(identity: identity, next: next, problem: problem)
    }
}

/// Why the site's key was not changed, and what the operator can do.
package struct SiteKeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Kinds of error, each with an exit code of its own.
    package enum Kind: Equatable, Sendable {
        /// The command has nothing to do, or its preconditions are not met.
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
