package import WireProtocol

/// Which keys are trusted to sign receipts.
package enum ReceiptTrust: Sendable {
    /// Any key. A verified receipt then proves only that the key in the receipt has signed the receipt.
    case anyKey
    /// Only these keys, such as the keys that an agent has pinned.
    case keys(Set<Fingerprint>)
    /// Any key for which the authority has signed a certificate with this host name or address. The receipt contains
    /// the certificate.
    case authority(CertificateAuthority, gatewayName: String)
}

/// A receipt whose signature is right and whose key is trusted.
package struct VerifiedReceipt: Equatable, Sendable {
    /// The signed statement about what was stored, and when.
    package let statement: ReceiptStatement
    /// The fingerprint of the key that signed the statement.
    package let key: Fingerprint
}

/// The reason why a receipt proves nothing. If there are several, the first one that was found.
package enum ReceiptError: Error, Hashable {
    case statement(ReceiptStatementError)
    case publicKey(PublicKeyError)
    /// The statement names another key than the key in the receipt.
    case otherKey(named: Fingerprint, found: Fingerprint)
    /// The key in the receipt did not sign this statement.
    case signature
    /// The signature is right, but the key is not trusted.
    case untrustedKey(Fingerprint)
    /// The certificates do not lead from the key to the authority.
    case untrustedCertificate(CertificateChainError)
    /// OpenSSL failed, so the receipt was not checked. It may be valid.
    case cryptography(CryptographyError)
}

extension ReceiptError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .statement(let error): error.description
        case .publicKey(let error): "the public key cannot be used: \(error)"
        case .otherKey(let named, let found):
            "the statement names the key \(named), and the public key is \(found)"
        case .signature: "the signature is not the key's, or the statement was changed"
        case .untrustedKey(let key): "it is signed by \(key), which is none of the keys that are trusted"
        case .untrustedCertificate(let error): "the key's certificates cannot be followed: \(error)"
        case .cryptography(let error): error.description
        }
    }
}

extension StoredReceipt {
    /// Parses the statement, verifies the signature, and checks whether the key is trusted. The receipt may contain any
    /// bytes: invalid ones only make the method throw.
    package func verified(trusting trust: ReceiptTrust) throws(ReceiptError) -> VerifiedReceipt {
        let statement: ReceiptStatement
        do throws(ReceiptStatementError) {
            statement = try content()
        } catch {
            throw .statement(error)
        }
        let fingerprint = try verifySignature(of: statement)
        switch trust {
        case .anyKey: break
        case .keys(let keys):
            guard keys.contains(fingerprint) else { throw .untrustedKey(fingerprint) }
        case .authority(let authority, let gatewayName):
            do throws(CertificateChainError) {
                try authority.check(
                    key: fingerprint, certificates: certificates, gatewayName: gatewayName,
                    atMilliseconds: statement.timeMilliseconds)
            } catch {
                throw .untrustedCertificate(error)
            }
        }
        return VerifiedReceipt(statement: statement, key: fingerprint)
    }

    private func verifySignature(of statement: ReceiptStatement) throws(ReceiptError) -> Fingerprint {
        do {
            let key = try PublicKey(subjectPublicKeyInfo: publicKey)
            guard key.fingerprint.digest == statement.siteKey else {
                throw ReceiptError.otherKey(named: Fingerprint(statement.siteKey), found: key.fingerprint)
            }
            guard try key.isSignature(signature, of: self.statement) else { throw ReceiptError.signature }
            return key.fingerprint
        } catch let error as ReceiptError {
            throw error
        } catch let error as PublicKeyError {
            if case .cryptography(let cause) = error { throw .cryptography(cause) }
            throw .publicKey(error)
        } catch let error as CryptographyError {
            throw .cryptography(error)
        } catch {
            throw .signature
        }
    }
}
