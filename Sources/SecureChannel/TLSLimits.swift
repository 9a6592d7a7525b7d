package import NIOCore

/// How long a TLS connection waits, and how much it keeps.
package struct TLSLimits: Sendable {
    /// From the connection's beginning to the end of the handshake.
    package var handshake: TimeAmount

    /// From asking for a close to closing, whether or not all was sent and the peer said goodbye.
    package var closing = TimeAmount.seconds(5)

    /// How long a connection that failed stays half open, so that the peer reads why before it is reset.
    package var lingering = TimeAmount.seconds(1)

    /// Plain bytes that may be written before the handshake is complete; more end the connection.
    package var pendingBytesMax = 4 << 20

    /// - Parameter handshake: the gateway's own, where it has one.
    package init(handshake: TimeAmount = .seconds(10)) {
        self.handshake = handshake
    }
}
