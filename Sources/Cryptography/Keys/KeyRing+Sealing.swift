// A sealed token:
//
//     version  key id  nonce  ciphertext      tag
//     1        4       12     as the plain    16 bytes
//
// Version and key id, followed by the caller's context, are the associated data, which is authenticated. Version and
// key id have a fixed width, so two different combinations of header and context never give the same associated data.

extension KeyRing {
    /// Number of bytes by which a sealed token is longer than its content.
    package static let sealingBytes =
        headerByteCount + AES256GCM.nonceByteCount + AES256GCM.tagByteCount

    private static let version: UInt8 = 1
    /// Version bytes that are reserved for later versions of the gateway.
    private static let laterVersions: ClosedRange<UInt8> = 2...15
    private static let headerByteCount = 5

    /// Seals with the newest sealing key.
    ///
    /// Nonces are random and 96 bits long. With such nonces, NIST SP 800-38D (8.3) allows 2^32 tokens under one key,
    /// counted over all gateways of the site. Up to that number, the probability that two nonces are equal is below
    /// 2^-32.
    /// - Parameter context: bytes that are authenticated together with the token but are not part of it, such as the
    ///   device that the token is for. `open` needs the same context.
    /// - Returns: the token, which is `sealingBytes` bytes longer than `plain`.
    package func seal(_ plain: [UInt8], context: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try seal(plain, context: context, nonce: try SecureRandom.publicBytes(count: AES256GCM.nonceByteCount))
    }

    /// Seals like `seal(_:context:)`, with a nonce that the caller chooses.
    ///
    /// - Parameter nonce: 12 bytes that were never used with this key before. Two texts with the same nonce break the
    ///   encryption, so only tests choose the nonce.
    package func seal(_ plain: [UInt8], context: [UInt8], nonce: [UInt8]) throws(CryptographyError) -> [UInt8] {
        let header = [Self.version] + sealingKey.id.bytes
        let sealed = try AES256GCM.seal(plain, key: sealingKey.secret, nonce: nonce, associated: header + context)
        return header + nonce + sealed
    }

    /// Opens a token that any gateway of the site sealed with a key of this ring and for this context.
    /// - Parameter sealed: the token. It may be any bytes that a peer has sent.
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

/// The reason why a sealed token was not opened. The gateway answers the agent differently in each case.
package enum TokenOpeningError: Error, Hashable {
    /// The bytes are too short, or they are not a token.
    case malformed
    /// A later version of the gateway sealed the token, so another gateway of the site can open it.
    case laterVersion(UInt8)
    /// The token was sealed with a key that this gateway's ring does not have, because the ring is older than the ring
    /// of the gateway that sealed it. The upload is not lost: the agent has to try again, later or at another gateway.
    case unknownKey(KeyRing.KeyID)
    /// The bytes were altered, or they were sealed for another context, or with another key that has the same id.
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
