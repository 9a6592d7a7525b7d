import Cryptography
import SecureChannel
import Synchronization

/// What connections of a gateway are made with: replaced, while it serves, when the site's key or its certificates
/// change.
final class ShownIdentity: Sendable {
    /// What handshakes are made with, and the key that they prove.
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
