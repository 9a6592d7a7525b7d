package import TransferCommon

/// Whether the peer of an open connection still answers. Agent and gateway each keep one value for every open
/// connection (specification §5, rule 3).
///
///     from    event                                                        to
///     heard   something arrives                                            heard
///     heard   nothing was heard for a third of the idle limit              pinged
///     heard   nothing was heard for the idle limit                         lost
///     pinged  something arrives                                            heard
///     pinged  nothing was heard for a third of the limit since the PING    pinged
///     pinged  nothing was heard for the idle limit                         lost
///
/// Any byte counts, not only PONG: a peer that sends is alive.
package struct PeerLiveness: Hashable, Sendable {
    /// The states of the peer, as the table in the comment on `PeerLiveness` lists them.
    package enum State: Hashable, Sendable {
        case heard(at: Instant)
        /// PING was sent after the peer was heard last.
        case pinged(at: Instant, heardAt: Instant)
        /// The peer counts as lost; the owner closes the connection.
        case lost
    }

    /// What the owner does after a tick.
    package enum OnTick: Hashable, Sendable {
        case wait
        case sendPing
        case close
    }

    package private(set) var state: State

    /// - Parameter now: when the connection opened. Opening counts as hearing from the peer.
    package init(now: Instant) {
        self.state = .heard(at: now)
    }

    /// Notes that something has arrived from the peer.
    package mutating func heard(now: Instant) {
        guard state != .lost else { return }
        state = .heard(at: now)
    }

    /// Checks whether the peer is lost or needs a PING. Called at `nextDeadline`, or at any time.
    package mutating func tick(idleLimit: Duration, now: Instant) -> OnTick {
        let heardAt: Instant
        let quietSince: Instant
        switch state {
        case .heard(let at): (heardAt, quietSince) = (at, at)
        case .pinged(let at, let heard): (heardAt, quietSince) = (heard, at)
        case .lost: return .wait
        }
        if heardAt + idleLimit <= now {
            state = .lost
            return .close
        }
        guard quietSince + idleLimit / 3 <= now else { return .wait }
        state = .pinged(at: now, heardAt: heardAt)
        return .sendPing
    }

    /// Whether the peer answers: something has arrived from it within half of the idle limit. PING is sent after a
    /// third of the limit, so the peer has a sixth of the limit to answer it.
    package func isHeard(idleLimit: Duration, now: Instant) -> Bool {
        switch state {
        case .heard(let at), .pinged(_, let at): at + idleLimit / 2 > now
        case .lost: false
        }
    }

    /// When `tick` has something to do; `nil` once the peer is lost. A PING is always due before the idle limit ends.
    package func nextDeadline(idleLimit: Duration) -> Instant? {
        switch state {
        case .heard(let at), .pinged(let at, _): at + idleLimit / 3
        case .lost: nil
        }
    }
}
