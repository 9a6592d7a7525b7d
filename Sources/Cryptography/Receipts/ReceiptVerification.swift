package import WireProtocol

/// Whose signature of a receipt is believed.
package enum ReceiptTrust: Sendable {
    /// Any key's: then a receipt shows only that whoever has the key that stands in it has signed it.
    case anyKey
    /// That of these keys, as agents pin them.
    case keys(Set<Fingerprint>)
    /// That of a key whose certificate the authority signed for this host name or address. The certificate goes with
    /// the receipt.
    case authority(CertificateAuthority, gatewayName: String)
}

/// A receipt whose signature is right and whose key is trusted.
package struct VerifiedReceipt: Equatable, Sendable {
    /// What was stored then.
    package let statement: ReceiptStatement
    /// Of the key that signed.
    package let key: Fingerprint
}

/// Why a receipt says nothing. The first that was found.
package enum ReceiptError: Error, Hashable {
    case statement(ReceiptStatementError)
    case publicKey(PublicKeyError)
    /// The statement names another key than the one that goes with it.
    case otherKey(named: Fingerprint, found: Fingerprint)
    /// The key that goes with the statement did not sign it.
    case signature
    /// The signature is right, and the key is none of those that are trusted.
    case untrustedKey(Fingerprint)
    /// The certificates do not lead from the key to the authority.
    case untrustedCertificate(CertificateChainError)
    /// The library failed; nothing is known of the receipt.
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
    /// Reads the statement, compares the signature, and sees whether the key is trusted. Nothing in a receipt can do
    /// more harm than be refused.
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

    /// - Returns: the fingerprint of the key that signed.
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
