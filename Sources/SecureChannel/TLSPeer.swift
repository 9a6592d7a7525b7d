package import Cryptography

/// Whom a handshake proved the other side to be.
package struct TLSPeer: Hashable, Sendable {
    /// Of the key that the peer proved to have.
    package let fingerprint: Fingerprint

    /// The certificate's common name, or its first DNS name, as the authority vouches for it; empty where it has
    /// neither. `nil` for pinned keys: there nobody vouches for what a certificate says.
    package let name: String?

    package init(fingerprint: Fingerprint, name: String?) {
        self.fingerprint = fingerprint
        self.name = name
    }
}

/// Fired as a user inbound event when the handshake is complete, before anything is read.
///
/// On the gateway the device has proved its key, and `accepts` agreed. On an agent the gateway has proved its own; that
/// the gateway accepts the device shows only when its first bytes arrive, because TLS 1.3 lets the server answer last.
package struct TLSHandshakeCompleted: Hashable, Sendable {
    package let peer: TLSPeer

    package init(peer: TLSPeer) {
        self.peer = peer
    }
}
