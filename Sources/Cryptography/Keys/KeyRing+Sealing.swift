// A sealed token:
//
//     version  key id  nonce  ciphertext      tag
//     1        4       12     as the plain    16 bytes
//
// Version and key id are authenticated as associated data, followed by the caller's context. Both are of fixed width,
// so no two combinations of header and context give the same associated data.

extension KeyRing {
    /// How much longer a sealed token is than what was sealed.
    package static let sealingBytes =
        headerByteCount + AES256GCM.nonceByteCount + AES256GCM.tagByteCount

    private static let version: UInt8 = 1
    /// What later versions of the gateway may write there.
    private static let laterVersions: ClosedRange<UInt8> = 2...15
    private static let headerByteCount = 5

    /// Seals with the newest sealing key.
    ///
    /// Nonces are random and 96 bits long. With these, NIST SP 800-38D (8.3) allows 2^32 seals under one key, over all
    /// gateways of the site: until then the chance that any two nonces are equal stays below 2^-32.
    /// - Parameter context: what the token is bound to without containing it, such as a device. `open` needs the same.
    /// - Returns: `sealingBytes` more than `plain`.
    package func seal(_ plain: [UInt8], context: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try seal(plain, context: context, nonce: try SecureRandom.publicBytes(count: AES256GCM.nonceByteCount))
    }

    /// - Parameter nonce: never used with this key before. Two texts under one nonce give the key's secrecy away, so
    ///   only tests choose it.
    package func seal(_ plain: [UInt8], context: [UInt8], nonce: [UInt8]) throws(CryptographyError) -> [UInt8] {
        let header = [Self.version] + sealingKey.id.bytes
        let sealed = try AES256GCM.seal(plain, key: sealingKey.secret, nonce: nonce, associated: header + context)
        return header + nonce + sealed
    }

    /// Opens what any gateway of the site sealed with a key of this ring and for this context.
    /// - Parameter sealed: as a peer sent it.
    package func open(_ sealed: [UInt8], context: [UInt8]) throws(TokenOpeningError) -> [UInt8] {
        guard sealed.count >= Self.sealingBytes else { throw .malformed }
        guard sealed[0] == Self.version else {
            throw Self.laterVersions.contains(sealed[0]) ? .laterVersion(sealed[0]) : .malformed
        }
        let header = Array(sealed[..<Self.headerByteCount])
        let id = KeyID(value: header.dropFirst().reduce(0) { $0 << 8 | UInt32($1) })
        guard let key = keys.first(where: { $0.id == id }) else { throw .unknownKey(id) }
        let textStart = Self.headerByteCount + AES256GCM.nonceByteCount
        let nonce = Array(sealed[Self.headerByteCount..<textStart])
        let plain: [UInt8]?
        do {
            plain = try AES256GCM.open(
                sealed[textStart...], key: key.secret, nonce: nonce, associated: header + context)
        } catch {
            throw .unavailable(error)
        }
        guard let plain else { throw .forged }
        return plain
    }
}

/// Why a sealed token was not opened. The cases ask for different answers to the agent.
package enum TokenOpeningError: Error, Hashable {
    /// Too short, or no token at all.
    case malformed
    /// A later version of the gateway sealed it: another gateway of the site can open it.
    case laterVersion(UInt8)
    /// This gateway's ring is behind the one that sealed it: to be tried again, here later or elsewhere, never *lost*.
    case unknownKey(KeyRing.KeyID)
    /// Nobody with the key sealed these bytes for this context.
    case forged
    /// The gateway could not look, for want of memory or of the cipher. It says nothing about the token.
    case unavailable(CryptographyError)
}

extension TokenOpeningError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed: "The session token is malformed."
        case .laterVersion(let version): "The session token has version \(version), which this gateway does not know."
        case .unknownKey(let id): "The session token is sealed with key \(id), which this gateway's key ring lacks."
        case .forged: "The session token was altered, or belongs to another device."
        case .unavailable(let error): error.description
        }
    }
}
