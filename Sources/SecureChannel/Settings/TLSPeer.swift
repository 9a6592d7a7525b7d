package import Cryptography

/// The peer's identity, as the handshake has proved it.
package struct TLSPeer: Hashable, Sendable {
    /// The fingerprint of the key that the peer has proved.
    package let fingerprint: Fingerprint

    /// The common name in a certificate that the authority has signed, or else the first DNS name in it; empty if it
    /// has neither. `nil` for a pinned key, because no authority certifies a name for it.
    package let name: String?

    package init(fingerprint: Fingerprint, name: String?) {
        self.fingerprint = fingerprint
        self.name = name
    }
}

/// The user inbound event that the TLS handler fires when the handshake is complete, before it passes on any bytes.
///
/// On a gateway it means that the device has proved its key and that `accepts` has accepted the device. On an agent it
/// means only that the gateway has proved its key. The agent knows that the gateway accepts it when the gateway's first
/// bytes arrive. In TLS 1.3 the client finishes the handshake before the server verifies the client's certificate.
package struct TLSHandshakeCompleted: Hashable, Sendable {
    package let peer: TLSPeer

    package init(peer: TLSPeer) {
        self.peer = peer
    }
}
