package import TransferCommon
package import WireProtocol

/// What happens to a gateway. The shell reports each event by `Gateway.handle`, in the order in which it happened.
package enum GatewayEvent: Hashable, Sendable {
    // MARK: Devices and keys

    /// The shell has read the device list, at start or after a change. Connections of removed devices end; connections
    /// of changed devices end too, and their agents connect again.
    case devicesChanged([AuthorisedDevice])
    /// An authority vouches for a device that no list names. Comes before HELLO of each of its connections, and
    /// replaces what the gateway knew of the device.
    case deviceVouchedFor(AuthorisedDevice)
    /// The last connection of a device that an authority vouched for is gone.
    case deviceLeft(SHA256Digest)
    /// The gateway proves another key from now on. WELCOME has named the earlier key on every open connection, so all
    /// connections end; agents connect again at once and resume.
    case siteKeyChanged
    /// The site's next key was announced, or its announcement was withdrawn (`nil`). WELCOME tells it.
    case nextSiteKeyChanged(SHA256Digest?)
    /// The shell has looked up the invitation that a connection shows; answers the action `enrol`, once.
    case enrolled(EnrolmentOutcome, on: ConnectionID)
    /// Reports that an earlier process of this gateway has saved. Comes before the first connection.
    case reportsRestored([DeviceReport])

    // MARK: Connections

    /// A peer has connected. The shell numbers connections in the order in which it accepts them.
    case accepted(ConnectionID)
    /// Bytes have arrived on a connection; comes before the frames that they hold. Any byte counts as life.
    case heard(bytes: UInt64, from: ConnectionID)
    /// A frame other than PART DATA has arrived. A frame of a connection that the gateway has ended is ignored, since
    /// it was on its way.
    ///
    /// - wallMilliseconds: the gateway's clock, milliseconds since 1970.
    case frame(Frame, slot: Slot, from: ConnectionID, wallMilliseconds: Int64)
    /// The shell has decoded a frame of any type; comes after the event of that frame. Results in `OnEvent.pause`.
    case frameCounted(from: ConnectionID)
    /// The peer has sent bytes that are no frame of the protocol. The message says for a person what is wrong, and is
    /// never empty.
    case malformed(ErrorCode, message: String, from: ConnectionID)
    /// The header of a PART DATA frame has arrived; its payload follows. Results in `OnEvent.data`.
    case data(PartDataHeader, slot: Slot, from: ConnectionID)
    /// The shell is about to append plain bytes of an accepted chunk to their flow. Results in `OnEvent.bytes`.
    case bytes(UInt64, flow: FlowID, from: ConnectionID)
    /// The connection is gone.
    case connectionLost(ConnectionID)

    // MARK: The store

    /// The store call has taken bytes of a flow; `total` counts from the beginning of the flow.
    case consumed(total: UInt64, flow: FlowID)
    /// The store has answered. Every request is answered once, also after a cancellation.
    ///
    /// - wallMilliseconds: the gateway's clock, milliseconds since 1970.
    case storeAnswered(StoreRequestID, StoreAnswer, wallMilliseconds: Int64)

    // MARK: Time

    /// `Gateway.nextDeadline` has passed. Safe at any time.
    case tick
    /// The gateway stops: it sends GO AWAY, and finishes parts under way until the deadline. Safe to repeat; the first
    /// deadline counts.
    case drain(within: Duration)
}

/// What the shell does right after an event, before it performs the actions. Three events have such a result, because
/// payload or reading waits for it.
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
    /// Give the plain bytes to the flow, without the first `skip`.
    case accept(FlowID, skip: UInt64)
    case discard
    /// The connection has been ended with a code.
    case violation
}
