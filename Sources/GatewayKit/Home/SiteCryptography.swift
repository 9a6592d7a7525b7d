package import Cryptography
import Synchronization
package import TransferCommon
package import TransferCore

/// Cryptography for the gateway's state machine: OpenSSL and the site's key ring.
///
/// A class, because the key ring and the signer are replaced while the machine uses them. A new ring can still open
/// tokens that the previous ring sealed. The signer always has the key that the gateway proves on new connections.
package final class SiteCryptography: TransferCryptography {
    private static let context = Array("sluice session token".utf8)

    /// An identity that signs receipts, and the key data that WELCOME carries.
    package struct Signer: Sendable {
        fileprivate let identity: Identity
        fileprivate let key: ReceiptKey

        /// - Throws: if OpenSSL cannot export the identity's public key.
        package init(_ identity: Identity) throws(CryptographyError) {
            self.identity = identity
            self.key = ReceiptKey(publicKey: try identity.publicKey(), fingerprint: identity.fingerprint.digest)
        }
    }

    private let ring: Mutex<KeyRing>
    private let signer: Mutex<Signer?>

    /// - Parameter identity: signs receipts with the key that the gateway proves on its connections; `nil` to sign no
    ///   receipts.
    /// - Throws: if OpenSSL cannot export the identity's public key.
    package init(keys: KeyRing, identity: Identity? = nil) throws(CryptographyError) {
        self.ring = Mutex(keys)
        self.signer = Mutex(try identity.map { (identity) throws(CryptographyError) in try Signer(identity) })
    }

    private var keys: KeyRing { ring.withLock { $0 } }

    package var receiptKey: ReceiptKey? { signer.withLock { $0?.key } }

    /// Installs the signer of a new site key. The caller then ends the connections on which the gateway has proved the
    /// old key.
    package func replaceSigner(by newest: Signer) {
        signer.withLock { $0 = newest }
    }

    /// Installs a rotated key ring.
    package func replaceKeys(by keys: KeyRing) {
        ring.withLock { $0 = keys }
    }

    package func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest? {
        // try?: if OpenSSL fails, the machine answers with the error code `internal`.
        try? RootDigest.of(partDigests)
    }

    package func seal(token plain: [UInt8]) -> [UInt8]? {
        // try?: if OpenSSL fails, the machine answers with the error code `internal`.
        try? keys.seal(plain, context: Self.context)
    }

    package func signature(of statement: [UInt8]) -> [UInt8]? {
        // try?: if OpenSSL fails, the machine answers without a receipt, and the log reports it.
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
