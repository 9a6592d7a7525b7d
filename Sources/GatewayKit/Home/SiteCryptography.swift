package import Cryptography
import Synchronization
package import TransferCommon
package import TransferCore

/// The machines' cryptography, by the system's OpenSSL and the site's key ring.
///
/// A class, because the ring and the signer are replaced under the machine that uses them: a ring opens what the one
/// before it sealed, and the signer is the key that connections prove from then on.
package final class SiteCryptography: TransferCryptography {
    private static let context = Array("sluice session token".utf8)

    /// An identity that signs receipts, and what WELCOME says of its key.
    package struct Signer: Sendable {
        fileprivate let identity: Identity
        fileprivate let key: ReceiptKey

        /// - Throws: where the identity's public key cannot be told.
        package init(_ identity: Identity) throws(CryptographyError) {
            self.identity = identity
            self.key = ReceiptKey(publicKey: try identity.publicKey(), fingerprint: identity.fingerprint.digest)
        }
    }

    private let ring: Mutex<KeyRing>
    private let signer: Mutex<Signer?>

    /// - Parameter identity: signs receipts; the one that every connection proves. `nil` for no receipts.
    /// - Throws: where the identity's public key cannot be told.
    package init(keys: KeyRing, identity: Identity? = nil) throws(CryptographyError) {
        self.ring = Mutex(keys)
        self.signer = Mutex(try identity.map { (identity) throws(CryptographyError) in try Signer(identity) })
    }

    private var keys: KeyRing { ring.withLock { $0 } }

    package var receiptKey: ReceiptKey? { signer.withLock { $0?.key } }

    /// The site's key was changed, and the connections of the one before are about to end.
    package func replaceSigner(by newest: Signer) {
        signer.withLock { $0 = newest }
    }

    /// The ring was rotated.
    package func replaceKeys(by keys: KeyRing) {
        ring.withLock { $0 = keys }
    }

    package func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest? {
        // The machine answers `internal` where the library fails; there is no better word for it.
        try? RootDigest.of(partDigests)
    }

    package func seal(token plain: [UInt8]) -> [UInt8]? {
        // As above.
        try? keys.seal(plain, context: Self.context)
    }

    package func signature(of statement: [UInt8]) -> [UInt8]? {
        // try?: the machine answers without a receipt where the library fails, and the log says so.
        try? signer.withLock { $0 }?.identity.signature(of: statement)
    }

    package func open(token sealed: [UInt8]) -> TokenOpening {
        do throws(TokenOpeningError) {
            return .opened(try keys.open(sealed, context: Self.context))
        } catch {
            switch error {
            case .unknownKey, .laterVersion, .unavailable: return .keyUnknown
            case .malformed, .forged: return .invalid
            }
        }
    }
}
