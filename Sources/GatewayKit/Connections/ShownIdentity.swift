import Cryptography
import SecureChannel
import Synchronization

/// Certificates and key that a gateway uses for new connections. While the gateway serves, it replaces them when the
/// site's key or the certificates change.
final class ShownIdentity: Sendable {
    /// The TLS context of handshakes, and the key that they prove.
    struct Shown: Sendable {
        let context: TLSContext
        let fingerprint: Fingerprint
    }

    private let state: Mutex<Shown?>

    /// - Parameter shown: the TLS context and the key at start; `nil` for plain TCP.
    init(_ shown: Shown?) {
        self.state = Mutex(shown)
    }

    /// The TLS context and the key for new connections; `nil` for plain TCP.
    var now: Shown? { state.withLock { $0 } }

    func replace(by shown: Shown) {
        state.withLock { $0 = shown }
    }
}
