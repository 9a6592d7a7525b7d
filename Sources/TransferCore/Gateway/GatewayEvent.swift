package import TransferCommon
package import WireProtocol

/// What happens to a gateway. The shell reports each event by `Gateway.handle`, in the order in which it happened.
package enum GatewayEvent: Hashable, Sendable {
    // MARK: Devices and keys

    /// The shell has read the device list, at start or after a change. Connections of removed devices end. Connections
    /// of changed devices end, too, and the agents of these devices connect again.
    case devicesChanged([AuthorisedDevice])
    /// A certificate authority vouches for a device that no list names. The shell reports this before HELLO of each
    /// connection of the device. The new values replace what the gateway knew of the device.
    case deviceVouchedFor(AuthorisedDevice)
    /// The last connection of a device that a certificate authority vouched for is gone.
    case deviceLeft(SHA256Digest)
    /// The gateway proves another key in handshakes from now on. The WELCOME of each open connection has named the
    /// earlier key, so the gateway ends all connections. Agents connect again at once and resume their sessions.
    case siteKeyChanged
    /// The site's next key was announced, or the announcement was withdrawn (`nil`). WELCOME names this key to agents.
    case nextSiteKeyChanged(SHA256Digest?)
    /// The shell has looked up the invitation that a connection shows; answers the action `enrol`, once.
    case enrolled(EnrolmentOutcome, on: ConnectionID)
    /// Reports that an earlier process of this gateway has saved. The shell reports them before the first connection.
    case reportsRestored([DeviceReport])

    // MARK: Connections

    /// A peer has connected. The shell numbers connections in the order in which it accepts them.
    case accepted(ConnectionID)
    /// Bytes have arrived, which show that the peer is alive. This event precedes those of the frames in these bytes.
    case heard(bytes: UInt64, from: ConnectionID)
    /// A frame other than PART DATA has arrived. The machine ignores a frame on a connection that the gateway has
    /// ended: it may have been on its way. `wallMilliseconds`: the gateway's clock, milliseconds since 1970.
    case frame(Frame, slot: Slot, from: ConnectionID, wallMilliseconds: Int64)
    /// The shell has decoded a frame of any type, and has reported its event. The result is `OnEvent.pause`.
    case frameCounted(from: ConnectionID)
    /// The peer has sent bytes that are no frame; `message` says for people what is wrong, and is never empty.
    case malformed(ErrorCode, message: String, from: ConnectionID)
    /// The header of a PART DATA frame has arrived; its payload follows. The result is `OnEvent.data`.
    case data(PartDataHeader, slot: Slot, from: ConnectionID)
    /// The shell is about to append plain bytes of an accepted chunk to their flow. The result is `OnEvent.bytes`.
    case bytes(UInt64, flow: FlowID, from: ConnectionID)
    /// Answers `reportWritten`: everything that was sent before that action has been written to the socket.
    case written(bytes: UInt64, on: ConnectionID)
    /// The connection is gone.
    case connectionLost(ConnectionID)

    // MARK: The store

    /// The call to the store has taken bytes of a flow; `total` counts from the beginning of the flow.
    case consumed(total: UInt64, flow: FlowID)
    /// The store has answered a request: exactly once, even after a cancellation. `wallMilliseconds`: since 1970.
    case storeAnswered(StoreRequestID, StoreAnswer, wallMilliseconds: Int64)

    // MARK: Time

    /// `Gateway.nextDeadline` has passed. The shell may send this event at any other time, too.
    case tick
    /// The gateway stops: it sends GO AWAY, and finishes parts under way until the deadline. Safe to repeat; the first
    /// deadline counts.
    case drain(within: Duration)
    /// The process ends: the gateway requests no further call, and the shell reports the answers of begun calls.
    case finish
}

/// What the shell does right after an event, before it performs the actions. Three events have such a result, because
/// the shell cannot handle the payload, or continue to read, before it has the result.
package enum OnEvent: Hashable, Sendable {
    case none
    /// What to do with the payload of a PART DATA frame.
    case data(OnPartData)
    /// Whether the bytes may still be appended to their flow.
    case bytes(areWanted: Bool)
    /// How long the shell reads nothing more from the connection; `nil` if it reads on at once.
    case pause(Duration?)

    /// The result of `GatewayEvent.data`.
    package var partData: OnPartData {
        if case .data(let result) = self { result } else { .discard }
    }

    /// The result of `GatewayEvent.bytes`.
    package var areBytesWanted: Bool { self == .bytes(areWanted: true) }

    /// The result of `GatewayEvent.frameCounted`.
    package var pause: Duration? {
        if case .pause(let duration) = self { duration } else { nil }
    }
}

/// What to do with the payload of a PART DATA frame.
package enum OnPartData: Hashable, Sendable {
    /// The shell gives the plain bytes to the flow, except the first `skip` bytes.
    case accept(FlowID, skip: UInt64)
    case discard
    /// The connection has been ended with a code.
    case violation
}
