package import SecureChannel
import Synchronization
package import TransferCore
package import WireProtocol

/// The machines' cryptography, by the system's OpenSSL and the site's key ring.
///
/// A class, because the ring is replaced under the machine that uses it: a ring opens what the one before it sealed.
package final class SiteCryptography: TransferCryptography {
    private static let context = Array("sluice session token".utf8)

    private let ring: Mutex<KeyRing>
    private let identity: Identity?
    package let receiptKey: ReceiptKey?

    /// - Parameter identity: signs receipts; the one that every connection proves. `nil` for no receipts.
    /// - Throws: where the identity's public key cannot be told.
    package init(keys: KeyRing, identity: Identity? = nil) throws(CryptographyError) {
        self.ring = Mutex(keys)
        self.identity = identity
        self.receiptKey = try identity.map { (identity) throws(CryptographyError) in
            ReceiptKey(publicKey: try identity.publicKey(), fingerprint: identity.fingerprint.digest)
        }
    }

    private var keys: KeyRing { ring.withLock { $0 } }

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
        try? identity?.signature(of: statement)
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
