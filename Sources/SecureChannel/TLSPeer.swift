package import Cryptography

/// The peer's identity, as the handshake has proved it.
package struct TLSPeer: Hashable, Sendable {
    /// The fingerprint of the key that the peer has proved.
    package let fingerprint: Fingerprint

    /// The common name of a certificate that the authority has signed, or else its first DNS name; empty where it has
    /// neither. `nil` for pinned keys, because no authority certifies their names.
    package let name: String?

    package init(fingerprint: Fingerprint, name: String?) {
        self.fingerprint = fingerprint
        self.name = name
    }
}

/// Fired as a user inbound event when the handshake is complete, before anything is read.
///
/// On a gateway the device has proved its key, and `accepts` has accepted it. On an agent the gateway has proved its
/// key. Whether the gateway accepts the device is known only when its first bytes arrive: in TLS 1.3 the client
/// finishes the handshake before the server verifies the client's certificate.
package struct TLSHandshakeCompleted: Hashable, Sendable {
    package let peer: TLSPeer

    package init(peer: TLSPeer) {
        self.peer = peer
    }
}
