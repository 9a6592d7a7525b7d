/// What a gateway's site or a device shows itself with: an Ed25519 key, and a certificate for it signed by itself.
///
/// A class, because many connections share it and the key and certificate inside must be freed once.
package final class Identity: Sendable {
    /// Within the directory: PKCS#8, PEM, mode 0600.
    package static let keyFileName = "identity.key"

    /// Within the directory: X.509, PEM. Not secret.
    package static let certificateFileName = "identity.crt"

    /// The certificate's common name. It helps people; peers are told apart by fingerprint alone.
    package let name: String

    package let fingerprint: Fingerprint

    package let privateKey: PrivateKey
    package let certificate: Certificate

    private static let fileBytesMax = 16 * 1024
    private static let nameCharactersMax = 64

    private init(
        name: String, fingerprint: Fingerprint, privateKey: consuming PrivateKey, certificate: consuming Certificate
    ) {
        self.name = name
        self.fingerprint = fingerprint
        self.privateKey = privateKey
        self.certificate = certificate
    }

    /// Makes a new key and its certificate, and leaves what is in the directory already as it is.
    ///
    /// The certificate is written first and the key last, each in one step. A process killed in between leaves a
    /// certificate alone, which `create` and `load` both report and nobody misses.
    /// - Parameters:
    ///   - directory: exists.
    ///   - name: 1 to 64 characters, none of them a control character.
    package static func create(in directory: String, name: String) throws(IdentityError) -> Identity {
        guard isUsable(name) else { throw .nameUnusable }
        let keyPath = "\(directory)/\(keyFileName)"
        let certificatePath = "\(directory)/\(certificateFileName)"
        // Without this look, a certificate would for a moment stand beside a key that it does not belong to.
        guard !AtomicFile.exists(keyPath) else { throw .exists(path: keyPath) }
        let identity: Identity
        let keyPEM: [UInt8]
        let certificatePEM: [UInt8]
        do {
            identity = try make(name: name)
            keyPEM = try identity.privateKey.pem()
            certificatePEM = try identity.certificate.pem()
        } catch {
            throw .cryptography(error)
        }
        try write(certificatePEM, to: certificatePath, mode: .ownerWritesAllRead)
        do throws(IdentityError) {
            try write(keyPEM, to: keyPath, mode: .ownerOnly)
        } catch {
            AtomicFile.remove(certificatePath)
            throw error
        }
        return identity
    }

    /// Reads the key and its certificate from a directory, and refuses a key that others than its owner may use.
    package static func load(from directory: String) throws(IdentityError) -> Identity {
        let keyPEM = try read("\(directory)/\(keyFileName)", access: .ownerOnly)
        let certificatePEM = try read("\(directory)/\(certificateFileName)", access: .anyone)
        guard let privateKey = PrivateKey(pem: keyPEM) else { throw .privateKeyUnreadable }
        guard let certificate = Certificate(pem: certificatePEM) else { throw .certificateUnreadable }
        guard certificate.belongs(to: privateKey) else { throw .mismatch }
        guard let name = certificate.commonName() else { throw .certificateUnreadable }
        let fingerprint: Fingerprint
        do {
            fingerprint = try certificate.fingerprint()
        } catch {
            throw .cryptography(error)
        }
        return Identity(name: name, fingerprint: fingerprint, privateKey: privateKey, certificate: certificate)
    }

    private static func make(name: String) throws(CryptographyError) -> Identity {
        let privateKey = try PrivateKey.generate()
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

// Without these, `dump` would go through all that the class stores.

extension Identity: CustomStringConvertible, CustomReflectable {
    package var description: String { "Identity(\(name), \(fingerprint))" }

    package var customMirror: Mirror { Mirror(self, children: ["name": name, "fingerprint": fingerprint]) }
}
