/// One of the two ends that a ``FaultProxy`` stands between.
package enum ProxyEnd: CaseIterable, Sendable {
    /// Whoever connected to the proxy.
    case client

    /// Where the proxy connects to.
    case upstream

    /// Where bytes for this end come from.
    package var opposite: ProxyEnd {
        switch self {
        case .client: .upstream
        case .upstream: .client
        }
    }
}

/// How a connection ends when it is cut. Bytes the proxy still held are lost either way.
package enum Cut: CaseIterable, Sendable {
    /// Both ends read an end of file (FIN), as after an orderly end at the wrong moment.
    case close

    /// Both ends get a reset (RST), as from a machine that forgot the connection.
    case reset
}

/// What becomes of the bytes that travel towards one end.
package enum Passage: CaseIterable, Sendable {
    case forwarding

    /// Held back: the proxy reads until it is full and then no more, so that the sender's window closes.
    case stalled

    /// Read and thrown away: the sender's system sees everything acknowledged and nothing arrives.
    case vanishing
}

/// What is wrong with one direction of a ``FaultProxy``.
package struct DirectionFaults: Equatable, Sendable {
    /// An end of file and a reset travel like the last byte: where bytes stall or vanish, they do too, and the
    /// connection is half-open.
    package var passage = Passage.forwarding

    /// How long each byte is under way. Applies to bytes that arrive from now on; those before keep their time.
    package var delay = Duration.zero

    /// The rate that all connections share, or `nil` for no limit.
    package var bytesPerSecond: Int?

    /// Writes to the receiving socket have 1 to so many bytes each, or as many as there are with `nil`.
    package var sliceBytesMax: Int?

    /// Every connection is cut when so many of its bytes have passed, or not with `nil`.
    package var connectionBytesMax: Int?

    package init() {}
}

/// What is wrong with the network that a ``FaultProxy`` plays. Nothing is, to begin with.
package struct Faults: BothWays, Equatable, Sendable {
    package var towardsUpstream = DirectionFaults()
    package var towardsClient = DirectionFaults()

    /// Nobody listens: connecting fails with `ECONNREFUSED`. Connections that exist stay.
    package var refusesConnections = false

    /// Cuts all connections again and again after so long, beginning when it is set.
    package var cutEvery: Duration?

    /// How the repeated cut and `connectionBytesMax` cut.
    package var cut = Cut.reset

    package init() {}
}

/// What passed in one direction of a ``FaultProxy`` since it was started, over all its connections.
package struct DirectionCounts: Equatable, Sendable {
    /// Bytes taken from the sending end's socket.
    package var bytesRead = 0

    /// Bytes handed to the receiving end's socket. The receiver may not have read them yet.
    package var bytesForwarded = 0

    /// Bytes thrown away, because they were to vanish, or because a cut left nobody to send them to.
    package var bytesLost = 0

    /// Successful writes to the receiving end's socket.
    package var writes = 0

    /// The most bytes that one connection ever held back in this direction.
    package var bytesHeldMax = 0
}

/// What a ``FaultProxy`` saw since it was started.
package struct ProxyCounts: BothWays, Equatable, Sendable {
    package var towardsUpstream = DirectionCounts()
    package var towardsClient = DirectionCounts()

    /// Connections that clients made.
    package var connectionsAccepted = 0

    /// Connections that have not ended.
    package var connectionsOpen = 0

    /// Connections that the proxy cut, on whatever order.
    package var connectionsCut = 0

    /// Connections given up because the upstream could not be reached. Their clients are reset.
    package var connectionsWithoutUpstream = 0
}

/// Something that each direction of a ``FaultProxy`` has one of.
package protocol BothWays {
    associatedtype Direction

    var towardsUpstream: Direction { get set }
    var towardsClient: Direction { get set }
}

extension BothWays {
    /// The direction that ends at `end`.
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
