/// One of the two ends of a connection through a ``FaultProxy``.
package enum ProxyEnd: CaseIterable, Sendable {
    /// The end that connected to the proxy.
    case client

    /// The end that the proxy connects to.
    case upstream

    /// The end that sends the bytes for this end.
    package var opposite: ProxyEnd {
        switch self {
        case .client: .upstream
        case .upstream: .client
        }
    }
}

/// How the proxy cuts a connection. Bytes held by the proxy are lost in both cases.
package enum Cut: CaseIterable, Sendable {
    /// Both ends read an end of file (FIN), as after an orderly close at the wrong moment.
    case close

    /// Both ends receive a reset (RST), as from a machine that has forgotten the connection.
    case reset
}

/// What the proxy does with bytes towards one end.
package enum Passage: CaseIterable, Sendable {
    case forwarding

    /// Holds bytes back. The proxy reads until its buffer is full and then stops, so that the sender's window closes.
    case stalled

    /// Reads and discards bytes. The sender's kernel gets all bytes acknowledged, but none arrives.
    case vanishing
}

/// Faults of one direction of a ``FaultProxy``.
package struct DirectionFaults: Equatable, Sendable {
    /// What the proxy does with the bytes. An end of file or a reset follows the last byte and is treated like a byte:
    /// if it stalls or vanishes, the connection is half-open.
    package var passage = Passage.forwarding

    /// Delay of each byte. A change applies to bytes that arrive later; earlier bytes keep their delay.
    package var delay = Duration.zero

    /// Rate that all connections share; `nil` for no limit.
    package var bytesPerSecond: Int?

    /// Maximum size of a write to the receiving socket. Each write has a random size from 1 to this value. If `nil`,
    /// writes are as large as possible.
    package var sliceBytesMax: Int?

    /// Number of bytes after which each connection is cut; `nil` for never.
    package var connectionBytesMax: Int?

    package init() {}
}

/// Faults of the network that a ``FaultProxy`` simulates. The default is no fault.
package struct Faults: BothWays, Equatable, Sendable {
    package var towardsUpstream = DirectionFaults()
    package var towardsClient = DirectionFaults()

    /// Whether the listening socket is closed, so that connecting fails with `ECONNREFUSED`. Existing connections stay
    /// open.
    package var refusesConnections = false

    /// Interval at which all connections are cut, again and again; `nil` for never.
    package var cutEvery: Duration?

    /// How `cutEvery` and `connectionBytesMax` cut connections.
    package var cut = Cut.reset

    package init() {}
}

/// Totals of one direction of a ``FaultProxy`` since its start, over all connections.
package struct DirectionCounts: Equatable, Sendable {
    /// Bytes read from the sender's socket.
    package var bytesRead = 0

    /// Bytes written to the receiver's socket. The receiver may not have read them yet.
    package var bytesForwarded = 0

    /// Bytes discarded, either by the fault `vanishing` or because a cut closed the receiver's socket.
    package var bytesLost = 0

    /// Successful writes to the receiver's socket.
    package var writes = 0

    /// Maximum number of bytes that one connection has held in this direction.
    package var bytesHeldMax = 0
}

/// Totals of a ``FaultProxy`` since its start.
package struct ProxyCounts: BothWays, Equatable, Sendable {
    package var towardsUpstream = DirectionCounts()
    package var towardsClient = DirectionCounts()

    /// Connections accepted from clients.
    package var connectionsAccepted = 0

    /// Connections that are still open.
    package var connectionsOpen = 0

    /// Connections that the proxy cut, for any reason.
    package var connectionsCut = 0

    /// Connections that failed because the upstream was unreachable. The proxy resets their clients.
    package var connectionsWithoutUpstream = 0
}

/// A pair of values, one for each direction of a ``FaultProxy``.
package protocol BothWays {
    associatedtype Direction

    var towardsUpstream: Direction { get set }
    var towardsClient: Direction { get set }
}

extension BothWays {
    /// The value for the direction towards `end`.
    package subscript(towards end: ProxyEnd) -> Direction {
        get {
            switch end {
            case .client: towardsClient
            case .upstream: towardsUpstream
            }
        }
        set {
            switch end {
            case .client: towardsClient = newValue
            case .upstream: towardsUpstream = newValue
            }
        }
    }
}
