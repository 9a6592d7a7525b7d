import SystemSupport

/// The identity of a site or of a device: a private key and a certificate for it.
///
/// `create` makes a self-signed certificate. If an authority certifies the key, the operator replaces the certificate's
/// file by a file with the certificate from the authority and the rest of its chain.
///
/// A class, because many connections share it, and its key and certificate must be freed exactly once.
package final class Identity: Sendable {
    /// File name of the private key: PEM, mode 0600.
    package static let keyFileName = "identity.key"

    /// File name of the certificates: X.509 in PEM, the identity's own certificate first. Not secret.
    package static let certificateFileName = "identity.crt"

    /// File name of the request for a certificate: PKCS#10 in PEM, for an authority. Not secret. Sluice never reads it.
    package static let requestFileName = "identity.csr"

    /// The name in the certificate. It is for display: without an authority only the fingerprint identifies a peer.
    package let name: String

    package let fingerprint: Fingerprint

    package let privateKey: PrivateKey
    package let certificate: Certificate

    /// The certificates in the certificate's file, this identity's own first; `nil` for an identity that `create` has
    /// made.
    let bundle: CertificateBundle?

    private static let fileBytesMax = 16 * 1024
    private static let nameCharactersMax = 64

    private init(
        name: String, fingerprint: Fingerprint, privateKey: consuming PrivateKey, certificate: consuming Certificate,
        bundle: CertificateBundle? = nil
    ) {
        self.name = name
        self.fingerprint = fingerprint
        self.privateKey = privateKey
        self.certificate = certificate
        self.bundle = bundle
    }

    /// Whether this identity's certificate is self-signed, so that no authority has certified the key.
    package var isSelfSigned: Bool { certificate.isSelfSigned }

    /// The certificates that follow this identity's own certificate in the chain, in order. This object owns the
    /// pointers.
    package var intermediates: ArraySlice<OpaquePointer> { bundle?.rest ?? [] }

    /// The public key that verifies this identity's signatures: DER SubjectPublicKeyInfo, as it is encoded in the
    /// certificate. Its SHA-256 is `fingerprint`.
    package func publicKey() throws(CryptographyError) -> [UInt8] {
        try certificate.publicKey()
    }

    /// Signs a message with the identity's key, in the way in which gateways sign receipts (specification §9.5).
    package func signature(of message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try privateKey.signature(of: message)
    }

    /// Makes a new key, a certificate for it and a request for a certificate. Does not change existing files.
    ///
    /// Each file is written atomically, the key last. If the process is killed in between, `create` and `load` later
    /// report the files that are left. They can be removed without loss.
    /// - Parameters:
    ///   - directory: an existing directory.
    ///   - name: 1 to 64 characters, none of them a control character.
    package static func create(
        in directory: String, name: String, keyType: KeyType = .ed25519
    ) throws(IdentityError) -> Identity {
        guard isUsable(name) else { throw .nameUnusable }
        let keyPath = "\(directory)/\(keyFileName)"
        // Check first whether the key's file exists. Otherwise this method would write a new certificate beside an old
        // key that the certificate does not belong to, before it fails to write the new key.
        guard !AtomicFile.exists(keyPath) else { throw .exists(path: keyPath) }
        let identity: Identity
        let files: [(pem: [UInt8], name: String, mode: AtomicFile.Mode)]
        do {
            identity = try make(name: name, keyType: keyType)
            files = [
                (try identity.certificate.pem(), certificateFileName, .ownerWritesAllRead),
                (
                    try CertificateRequest.pem(for: identity.privateKey, name: name), requestFileName,
                    .ownerWritesAllRead
                ),
                (try identity.privateKey.pem(), keyFileName, .ownerOnly),
            ]
        } catch {
            throw .cryptography(error)
        }
        var written: [String] = []
        do throws(IdentityError) {
            for file in files {
                let path = "\(directory)/\(file.name)"
                try write(file.pem, to: path, mode: file.mode)
                written.append(path)
            }
        } catch {
            for path in written { AtomicFile.remove(path) }
            throw error
        }
        return identity
    }

    /// Reads the key and its certificate from a directory. Throws if other users than the file's owner may read or
    /// write the key.
    ///
    /// - Parameter nextKeyPath: a second file that may contain the private key. A site changes its key by replacing the
    ///   certificate's file first. The new key is in this second file until it replaces the old key's file.
    package static func load(from directory: String, nextKeyPath: String? = nil) throws(IdentityError) -> Identity {
        var privateKey = try loadKey("\(directory)/\(keyFileName)")
        let certificatePEM = try read("\(directory)/\(certificateFileName)", access: .anyone)
        guard let bundle = CertificateBundle(pem: certificatePEM) else { throw .certificateUnreadable }
        let certificate = bundle.first
        if !certificate.belongs(to: privateKey), let nextKeyPath, AtomicFile.exists(nextKeyPath) {
            privateKey = try loadKey(nextKeyPath)
        }
        guard certificate.belongs(to: privateKey) else { throw .mismatch }
        guard let name = certificate.name else { throw .certificateUnreadable }
        let fingerprint: Fingerprint
        do {
            fingerprint = try certificate.fingerprint()
        } catch {
            throw .cryptography(error)
        }
        return Identity(
            name: name, fingerprint: fingerprint, privateKey: privateKey, certificate: certificate, bundle: bundle)
    }

    /// Reads a private key. Throws if other users than the file's owner may read or write the file.
    package static func loadKey(_ path: String) throws(IdentityError) -> PrivateKey {
        let pem = try read(path, access: .ownerOnly)
        do {
            return try PrivateKey(pem: pem)
        } catch {
            throw .privateKey(error)
        }
    }

    private static func make(name: String, keyType: KeyType) throws(CryptographyError) -> Identity {
        let privateKey = try PrivateKey.generate(keyType)
        let certificate = try Certificate(selfSignedBy: privateKey, name: name)
        let fingerprint = try certificate.fingerprint()
        return Identity(name: name, fingerprint: fingerprint, privateKey: privateKey, certificate: certificate)
    }

    private static func write(_ pem: [UInt8], to path: String, mode: AtomicFile.Mode) throws(IdentityError) {
        do {
            try AtomicFile.writeNew(pem, to: path, mode: mode)
        } catch {
            throw error.isExisting ? .exists(path: path) : .file(error)
        }
    }

    private static func read(_ path: String, access: BoundedFile.Access) throws(IdentityError) -> [UInt8] {
        do {
            return try BoundedFile.read(path, bytesMax: fileBytesMax, access: access)
        } catch {
            throw .file(error)
        }
    }

    private static func isUsable(_ name: String) -> Bool {
        let scalars = name.unicodeScalars
        let hasControls = scalars.contains { $0.properties.generalCategory == .control }
        return (1...nameCharactersMax).contains(scalars.count) && !hasControls
    }
}

// Without these conformances, `dump` would print everything that the class stores, including the key.

extension Identity: CustomStringConvertible, CustomReflectable {
    package var description: String { "Identity(\(name), \(fingerprint))" }

    package var customMirror: Mirror { Mirror(self, children: ["name": name, "fingerprint": fingerprint]) }
}
