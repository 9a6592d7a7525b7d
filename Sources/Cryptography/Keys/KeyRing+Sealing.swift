// A sealed token:
//
//     version  key id  nonce  ciphertext      tag
//     1        4       12     as the plain    16 bytes
//
// Version and key id are authenticated as associated data, followed by the caller's context. Both are of fixed width,
// so no two combinations of header and context give the same associated data.

extension KeyRing {
    /// How many bytes a sealed token is longer than its content.
    package static let sealingBytes =
        headerByteCount + AES256GCM.nonceByteCount + AES256GCM.tagByteCount

    private static let version: UInt8 = 1
    /// Version bytes that are reserved for later versions of the gateway.
    private static let laterVersions: ClosedRange<UInt8> = 2...15
    private static let headerByteCount = 5

    /// Seals with the newest sealing key.
    ///
    /// Nonces are random and 96 bits long. For such nonces NIST SP 800-38D (8.3) allows 2^32 seals under one key, by
    /// all gateways of the site together: up to this number, the probability that two nonces are equal is below 2^-32.
    /// - Parameter context: authenticated together with the token, but not part of it; for example, the device that the
    ///   token is for. `open` needs the same context.
    /// - Returns: the sealed token, which is `sealingBytes` bytes longer than `plain`.
    package func seal(_ plain: [UInt8], context: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try seal(plain, context: context, nonce: try SecureRandom.publicBytes(count: AES256GCM.nonceByteCount))
    }

    /// - Parameter nonce: never used with this key before. Two texts under one nonce break the encryption, so only
    ///   tests choose it.
    package func seal(_ plain: [UInt8], context: [UInt8], nonce: [UInt8]) throws(CryptographyError) -> [UInt8] {
        let header = [Self.version] + sealingKey.id.bytes
        let sealed = try AES256GCM.seal(plain, key: sealingKey.secret, nonce: nonce, associated: header + context)
        return header + nonce + sealed
    }

    /// Opens a token that any gateway of the site sealed with a key of this ring and for this context.
    /// - Parameter sealed: any bytes that a peer sent.
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

/// Why a sealed token was not opened. Each case needs another answer to the agent.
package enum TokenOpeningError: Error, Hashable {
    /// It is too short, or not a token.
    case malformed
    /// A later version of the gateway sealed it, so another gateway of the site can open it.
    case laterVersion(UInt8)
    /// The token was sealed with a key that this gateway's ring does not have, because the ring is older than that of
    /// the other gateway. The agent has to try again, later or at another gateway; the upload is not lost.
    case unknownKey(KeyRing.KeyID)
    /// The bytes were altered, or sealed for another context or with another key of this id.
    case forged
    /// OpenSSL failed, for lack of memory or of the cipher. The token may be valid.
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
