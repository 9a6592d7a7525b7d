package import NIOCore

/// The time and memory limits of a TLS connection.
package struct TLSLimits: Sendable {
    /// The time from the channel's becoming active to the end of the handshake.
    package var handshake: TimeAmount

    /// The longest time from `close` to closing the channel, even where bytes are unsent or the peer's goodbye is
    /// missing.
    package var closing = TimeAmount.seconds(5)

    /// How long a failed connection stays half open, so that the peer can read the alert before the connection is
    /// reset.
    package var lingering = TimeAmount.seconds(1)

    /// How many plain bytes may be written before the handshake is complete. Further bytes end the connection.
    package var pendingBytesMax = 4 << 20

    /// - Parameter handshake: the limit for the handshake, which a gateway can configure.
    package init(handshake: TimeAmount = .seconds(10)) {
        self.handshake = handshake
    }
}
