package import Cryptography
import SecureChannel
import SystemSupport

/// Changing the key of a site: announce the next key, switch to it, retire the old one.
///
/// Each step takes effect at the moment when one particular file is replaced. If the process is killed before this
/// moment, nothing has changed. If it is killed later, the change is complete for gateways and agents, and only
/// leftover files remain; the next command removes them. Files are written and removed in the order of this table:
///
///     announce   writes next.key, then next.crt                     takes effect with next.crt
///     switch     writes identity.crt, identity.key, identity.csr;   takes effect with identity.crt: gateways read
///                removes next.crt, then next.key                    the key from next.key until identity.key follows
///     retire     writes identity.crt                                takes effect with identity.crt
package struct SiteKeyChange: Sendable {
    private let home: GatewayHome
    private var files: SiteKeyFiles { home.siteKeyFiles }

    /// - Parameter home: the home of any gateway of the site.
    package init(of home: GatewayHome) {
        self.home = home
    }

    /// Announces a next key. Generates the key unless `next.key` exists, from an earlier call or copied from another
    /// gateway.
    ///
    /// - Parameter keyType: type of a generated key; `nil` for the type of the present key.
    /// - Returns: fingerprint of the announced key.
    package func announce(_ keyType: KeyType? = nil) throws -> Fingerprint {
        try withSiteKeysLocked {
            _ = try finishSwitch()
            let keys = try home.siteKeys()
            if let problem = keys.problem { throw problem.adding(removeAnnouncement) }
            if let next = keys.next {
                try checkNextKey(of: next)
                return next
            }
            let identity = keys.identity
            guard !identity.isVouchedFor else {
                throw SiteKeyError(
                    .pointless,
                    "an authority has signed the gateway's certificate, and agents trust the authority: for a new key "
                        + "have the authority sign another certificate; no announcement is needed")
            }
            guard try identity.chain().count < PinnedChain.certificatesMax else {
                throw SiteKeyError(
                    .pointless,
                    "agents do not look at so many old keys; run sluice-gateway identity retire first")
            }
            if !AtomicFile.exists(files.nextKeyPath) {
                let made = try PrivateKey.generate(keyType ?? identity.privateKey.type).pem()
                try AtomicFile.writeNew(made, to: files.nextKeyPath, mode: .ownerOnly)
            }
            let key = try Identity.loadKey(files.nextKeyPath)
            let certificate = try identity.certificate(forNext: key)
            try AtomicFile.write(certificate, to: files.nextCertificatePath, mode: .ownerWritesAllRead)
            guard let next = try home.siteKeys().next else {
                throw GatewayHomeError("the next key was written but cannot be read back; \(removeAnnouncement)")
            }
            return next
        }
    }

    /// Makes the announced key the present one. In the TLS handshake the gateway then presents the certificate of this
    /// key, followed by the certificates of the old keys. Safe to repeat: after a completed switch the method does
    /// nothing.
    ///
    /// - Parameter force: whether to switch even if a known device has not pinned the announced key.
    /// - Returns: fingerprint of the present key.
    package func switchKey(force: Bool) throws -> Fingerprint {
        try withSiteKeysLocked {
            let wasCutShort = try finishSwitch()
            let keys = try home.siteKeys()
            if let problem = keys.problem { throw problem.adding(removeAnnouncement) }
            guard let next = keys.next, let certificates = try files.announced() else {
                guard try wasCutShort || isSwitched(keys.identity) else {
                    throw SiteKeyError(
                        .pointless,
                        "no next key is announced; run sluice-gateway identity announce, and let the "
                            + "devices connect twice")
                }
                return keys.identity.fingerprint
            }
            try checkNextKey(of: next)
            if !force { try refuseUnlessKnown(next, "announced", "sluice-gateway identity switch --force") }
            let chain = try keys.identity.chain(behind: certificates)
            try AtomicFile.write(chain, to: SharedFile.target(of: files.certificatePath), mode: .ownerWritesAllRead)
            _ = try finishSwitch()
            return next
        }
    }

    /// Removes the old keys from the certificates that the gateway presents. Safe to repeat: if the gateway presents no
    /// old key, the method does nothing.
    ///
    /// - Parameter force: whether to retire the old keys even if a known device has not pinned the present key.
    /// - Returns: fingerprint of the present key.
    package func retire(force: Bool) throws -> Fingerprint {
        try withSiteKeysLocked {
            _ = try finishSwitch()
            let identity = try home.identity()
            guard try isSwitched(identity) else { return identity.fingerprint }
            if !force {
                try refuseUnlessKnown(identity.fingerprint, "present", "sluice-gateway identity retire --force")
            }
            let certificate = try identity.selfSignedCertificate()
            try AtomicFile.write(
                certificate, to: SharedFile.target(of: files.certificatePath), mode: .ownerWritesAllRead)
            return identity.fingerprint
        }
    }

    /// Whether the gateway presents an old key of the site after the present one.
    private func isSwitched(_ identity: Identity) throws -> Bool {
        try !identity.isVouchedFor && identity.chain().count > 1
    }

    /// Completes a switch whose new certificates are in place: moves the private key and removes the announcement.
    ///
    /// - Returns: whether a file had to be moved or removed.
    private func finishSwitch() throws -> Bool {
        let present = try home.identity()
        // try?: an unreadable file is left in place, because it cannot be the leftover of a switch; `siteKeys` reports
        // it.
        let certificate = try? files.announced()
        let isCertificateLeft = try certificate.map { try $0.first.fingerprint() == present.fingerprint } ?? false
        var isKeyLeft = false
        if AtomicFile.exists(files.nextKeyPath) {
            isKeyLeft = present.certificate.belongs(to: try Identity.loadKey(files.nextKeyPath))
        }
        if isKeyLeft {
            let key = try BoundedFile.read(
                files.nextKeyPath, bytesMax: SiteKeyFiles.certificateBytesMax, access: .ownerOnly)
            try AtomicFile.write(key, to: SharedFile.target(of: files.keyPath), mode: .ownerOnly)
            try AtomicFile.write(
                present.certificateRequest(), to: SharedFile.target(of: files.requestPath), mode: .ownerWritesAllRead)
        }
        if isCertificateLeft { AtomicFile.remove(files.nextCertificatePath) }
        if isKeyLeft { AtomicFile.remove(files.nextKeyPath) }
        return isCertificateLeft || isKeyLeft
    }

    // MARK: Preconditions

    /// Throws if the home does not have the announced private key: an operator may have copied only the certificate
    /// from another gateway.
    private func checkNextKey(of next: Fingerprint) throws {
        guard AtomicFile.exists(files.nextKeyPath) else {
            throw GatewayHomeError(
                "the announced key \(next) is not in this home; copy \(SiteKeyFiles.nextKeyFileName) from the "
                    + "gateway that made it to \(files.nextKeyPath)")
        }
        let key = try Identity.loadKey(files.nextKeyPath)
        guard let certificates = try files.announced(), certificates.first.belongs(to: key) else {
            throw GatewayHomeError(
                "\(files.nextKeyPath) is not the key of \(files.nextCertificatePath); bring both from one gateway, or "
                    + removeAnnouncement)
        }
    }

    private var removeAnnouncement: String {
        "remove \(files.nextCertificatePath) and \(files.nextKeyPath), then run sluice-gateway identity announce"
    }

    private func refuseUnlessKnown(_ key: Fingerprint, _ which: String, _ forced: String) throws {
        let ignorant = try SiteKeyReport.knowledge(of: key, in: home).filter { !$0.isFine }.map(\.name)
        guard let first = ignorant.first else { return }
        let others = ignorant.count == 1 ? "" : " and \(ignorant.count - 1) more"
        throw SiteKeyError(
            .devices,
            "\(first)\(others) did not name the \(which) key on their last connection here; sluice-gateway identity "
                + "list shows them. Let them connect twice, or go ahead anyway with \(forced)")
    }

    private func withSiteKeysLocked<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try home.withLocked(files.certificatePath, body)
        } catch let error as FileError {
            throw GatewayHomeError("cannot change the site's key", cause: error)
        } catch let error as IdentityError {
            throw GatewayHomeError("cannot use the site's next key", cause: error)
        }
    }
}

extension GatewayHomeError {
    fileprivate func adding(_ remedy: String) -> GatewayHomeError {
        GatewayHomeError("\(description); \(remedy)")
    }
}
