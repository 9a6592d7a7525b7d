package import NIOCore

/// The time and memory limits of a TLS connection.
package struct TLSLimits: Sendable {
    /// Time limit for the handshake, from the moment when the channel becomes active.
    package var handshake: TimeAmount

    /// Longest time for which a closing connection waits without progress: the socket takes no byte, or the peer's
    /// `close_notify` does not arrive. After this time the channel is closed even if bytes are unsent.
    package var closing = TimeAmount.seconds(5)

    /// Maximum number of `closing` periods before the channel is closed, even with progress in each. So a peer that
    /// reads slowly but steadily gets what was sent before `close`, but cannot keep a closing connection open without
    /// end.
    package var closingPeriodsMax = 5

    /// Time for which a failed connection stays open for reading. In this time the peer can read the alert; closing at
    /// once could reset the connection first.
    package var lingering = TimeAmount.seconds(1)

    /// Maximum number of plain bytes that may be written before the handshake is complete. A write of more bytes ends
    /// the connection with an error.
    package var pendingBytesMax = 4 << 20

    /// - Parameter handshake: the limit for the handshake, which a gateway can configure.
    package init(handshake: TimeAmount = .seconds(10)) {
        self.handshake = handshake
    }
}
