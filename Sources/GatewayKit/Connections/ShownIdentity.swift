import Cryptography
import SecureChannel
import Synchronization

/// Certificates and key that a gateway uses for new connections. When the site's key or certificates change, they are
/// replaced while the gateway serves.
final class ShownIdentity: Sendable {
    /// The TLS context of handshakes, and the key that they prove.
    struct Shown: Sendable {
        let context: TLSContext
        let fingerprint: Fingerprint
    }

    private let state: Mutex<Shown?>

    /// - Parameter shown: `nil` for plain TCP.
    init(_ shown: Shown?) {
        self.state = Mutex(shown)
    }

    /// `nil` for plain TCP.
    var now: Shown? { state.withLock { $0 } }

    func replace(by shown: Shown) {
        state.withLock { $0 = shown }
    }
}
