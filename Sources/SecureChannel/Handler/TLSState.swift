/// The state machine of one TLS connection: its phases, and what each event leads to. `TLSHandler` reports the events
/// and performs the results. The machine itself uses no channel, promise or clock.
///
///     from         event                                                        to
///     idle         the channel becomes active                                   handshaking
///     idle         close(mode: .output)                                         idle, with the output ending
///     idle         close(mode: .all); the channel becomes inactive              closed
///     idle         a failure                                                    failed
///     handshaking  the handshake is complete                                    open
///     handshaking  close(mode: .output)                                         handshaking, with the output ending
///     handshaking  close(mode: .all)                                            closed
///     handshaking  a failure                                                    failed
///     handshaking  the channel becomes inactive                                 drained
///     open         close(mode: .output); our goodbye; the peer's goodbye        open, with that direction ending
///     open         close(mode: .all); both goodbyes                             closing
///     open         a failure                                                    failed
///     open         the channel becomes inactive before the peer's goodbye       draining
///     open         the channel becomes inactive after the peer's goodbye        closed
///     closing      our goodbye; the peer's goodbye                              closing, with that direction ended
///     closing      a failure; the channel becomes inactive                      closed
///     failed       the channel becomes inactive                                 closed
///     draining     the peer's goodbye; the last byte; a failure; close          drained
///     any          the handler closes the channel or leaves the pipeline        closed
///
/// - A *goodbye* is the alert `close_notify`: its sender sends nothing after it.
/// - *Both goodbyes* lead to `closing`, because nothing is left to send or receive. On a channel without half-closure,
///   the peer's goodbye alone leads to `closing`: the handler then calls `beginClosing`.
/// - After a failure before `closing`, the handler sends the peer an alert, and the connection stays `failed` for a
///   moment so that the peer can read the alert. A failure in `closing` only ends the wait for the peer's goodbye.
/// - `draining` and `drained` last no longer than one call of `channelInactive`. The next handlers still receive the
///   bytes that have arrived before, but nothing can be sent.
package struct TLSState: Hashable, Sendable {
    /// The phases of the table above. Each phase has the data that exists only in that phase.
    package enum Phase: Hashable, Sendable {
        /// The channel is not active yet. Writes wait.
        case idle(Output)
        /// Writes wait until the handshake is complete.
        case handshaking(Output)
        case open(Input, Output)
        /// `close(mode: .all)` was called, or both directions have ended. Bytes that still arrive are dropped.
        case closing(Input, Goodbye)
        /// The alert is on its way. Bytes that still arrive are dropped without being decrypted.
        case failed
        /// The channel is inactive, and bytes that arrived before are being delivered.
        case draining
        /// The channel is inactive, and nothing more is delivered.
        case drained
        case closed
    }

    /// The direction from the peer to us.
    package enum Input: Hashable, Sendable {
        case open
        /// The peer has sent `close_notify`.
        case ended
    }

    /// The direction from us to the peer.
    package enum Output: Hashable, Sendable {
        case open
        /// `close(mode: .output)` was called. `close_notify` follows after the handshake and after the flushed bytes.
        case ending(Goodbye)
    }

    /// How far the sending of our `close_notify` has progressed.
    package enum Goodbye: Hashable, Sendable {
        /// `close_notify` still has to be sent, after the last flushed byte.
        case due
        /// `close_notify` has been written to the channel. Nothing can be encrypted any more.
        case sent
        /// The operating system has accepted `close_notify`.
        case taken
    }

    package private(set) var phase: Phase

    /// - Parameter phase: the phase to start in. Only tests pass another than the default.
    package init(_ phase: Phase = .idle(.open)) {
        self.phase = phase
    }
}

// MARK: - Beginning

extension TLSState {
    /// Begins the handshake, because the channel has become active.
    ///
    /// - Returns: whether the handshake begins now. `false` if it has begun already, because the handler was added to
    ///   an active channel.
    package mutating func channelBecameActive() -> Bool {
        guard case .idle(let output) = phase else { return false }
        phase = .handshaking(output)
        return true
    }

    /// Opens the connection, because OpenSSL has completed the handshake.
    package mutating func handshakeCompleted() {
        guard case .handshaking(let output) = phase else { return }
        phase = .open(.open, output)
    }
}

// MARK: - Reading and writing

extension TLSState {
    /// What the handler does with bytes that the peer has sent.
    package enum Reading: Hashable, Sendable {
        case delivered
        case dropped
        /// The handler leaves the bytes encrypted.
        case stopped
    }

    /// What the TLS handler does with plain text that another handler writes.
    package enum Writing: Hashable, Sendable {
        /// The text waits until the handshake is complete.
        case waits
        case encrypted
        /// The write fails, because our direction has ended.
        case outputClosed
        /// The write fails, because the connection has ended.
        case closed
    }

    package var reading: Reading {
        switch phase {
        case .open(.open, _), .draining: .delivered
        case .closing(.open, _): .dropped
        case .idle, .handshaking, .open(.ended, _), .closing(.ended, _), .failed, .drained, .closed: .stopped
        }
    }

    package var writing: Writing {
        switch phase {
        case .idle(.open), .handshaking(.open): .waits
        case .open(_, .open): .encrypted
        case .idle(.ending), .handshaking(.ending), .open(_, .ending): .outputClosed
        case .closing, .failed, .draining, .drained, .closed: .closed
        }
    }

    /// Whether plain text that was flushed may be encrypted and sent.
    package var maySend: Bool {
        switch phase {
        case .open, .closing: true
        case .idle, .handshaking, .failed, .draining, .drained, .closed: false
        }
    }
}

// MARK: - Closing

extension TLSState {
    /// What the handler does after a call of `close(mode: .output)`.
    package enum OnCloseOutput: Hashable, Sendable {
        /// The handler sends `close_notify` after the flushed bytes.
        case sayGoodbye
        /// The handler fails the call, because our direction has ended already.
        case refuse
        /// The handler passes the call on to the channel, because TLS has ended.
        case passOn
    }

    /// What the handler does after a call of `close(mode: .all)`.
    package enum OnClose: Hashable, Sendable {
        case closeChannel
        case sayGoodbye
        /// The handler only waits, because the channel is being closed already.
        case wait
        /// The handler passes the call on to the channel, because TLS has ended.
        case passOn
    }

    /// What the handler does after the peer's `close_notify`.
    package enum OnPeerGoodbye: Hashable, Sendable {
        /// The handler reports the end of the peer's direction to the next handlers.
        case inputEnded
        case closeChannel
        case nothing
    }

    /// Ends our direction, because another handler has called `close(mode: .output)`.
    package mutating func closeOutput() -> OnCloseOutput {
        switch phase {
        case .idle(.open): phase = .idle(.ending(.due))
        case .handshaking(.open): phase = .handshaking(.ending(.due))
        case .open(let input, .open): phase = .open(input, .ending(.due))
        case .idle(.ending), .handshaking(.ending), .open(_, .ending), .closing, .failed: return .refuse
        case .draining, .drained, .closed: return .passOn
        }
        return .sayGoodbye
    }

    /// Begins to close the connection, because another handler has called `close(mode: .all)`.
    package mutating func close() -> OnClose {
        switch phase {
        case .idle, .handshaking:
            phase = .closed
            return .closeChannel
        case .open:
            _ = beginClosing()
            return .sayGoodbye
        case .draining:
            phase = .drained
            return .wait
        case .closing, .failed, .drained:
            return .wait
        case .closed:
            return .passOn
        }
    }

    /// Begins to close an open connection. If our `close_notify` has not been sent yet, it is now due.
    ///
    /// - Returns: whether the connection was open; `false` if there is nothing to do.
    package mutating func beginClosing() -> Bool {
        guard case .open(let input, let output) = phase else { return false }
        switch output {
        case .open: phase = .closing(input, .due)
        case .ending(let goodbye): phase = .closing(input, goodbye)
        }
        return true
    }

    /// Whether the peer has proved its key, and its bytes may still be delivered.
    package var knowsPeer: Bool {
        switch phase {
        case .open, .draining: true
        case .idle, .handshaking, .closing, .failed, .drained, .closed: false
        }
    }

    /// Whether our `close_notify` has to be sent as soon as all flushed bytes have been sent.
    package var isGoodbyeDue: Bool {
        switch phase {
        case .open(_, .ending(.due)), .closing(_, .due): true
        case .idle, .handshaking, .open, .closing, .failed, .draining, .drained, .closed: false
        }
    }

    /// Records that our `close_notify` has been written to the channel.
    package mutating func goodbyeSent() {
        switch phase {
        case .open(let input, .ending(.due)): phase = .open(input, .ending(.sent))
        case .closing(let input, .due): phase = .closing(input, .sent)
        case .idle, .handshaking, .open, .closing, .failed, .draining, .drained, .closed: break
        }
    }

    /// Records that the operating system has accepted our `close_notify`, or that the channel has failed to write it.
    package mutating func goodbyeTaken() {
        switch phase {
        case .open(let input, .ending(.sent)): phase = .open(input, .ending(.taken))
        case .closing(let input, .sent): phase = .closing(input, .taken)
        case .idle, .handshaking, .open, .closing, .failed, .draining, .drained, .closed: break
        }
    }

    /// Ends the peer's direction, because the peer's `close_notify` has arrived.
    package mutating func receivedGoodbye() -> OnPeerGoodbye {
        switch phase {
        case .open(.open, let output):
            phase = .open(.ended, output)
            return .inputEnded
        case .closing(.open, let goodbye):
            phase = .closing(.ended, goodbye)
            return isDone ? .closeChannel : .nothing
        case .draining:
            phase = .drained
            return .nothing
        case .idle, .handshaking, .open, .closing, .failed, .drained, .closed:
            return .nothing
        }
    }

    /// Whether the connection is still in the phase `open` although both sides have sent `close_notify`.
    package var haveBothEnded: Bool {
        switch phase {
        case .open(.ended, .ending(.sent)), .open(.ended, .ending(.taken)): true
        case .idle, .handshaking, .open, .closing, .failed, .draining, .drained, .closed: false
        }
    }

    /// Whether a closing connection has nothing more to wait for, so that the channel can be closed.
    package var isDone: Bool { phase == .closing(.ended, .taken) }
}

// MARK: - Ending

extension TLSState {
    /// What the handler does after a failure.
    package enum OnFailure: Hashable, Sendable {
        /// The handler reports the error to the next handlers, and sends the peer an alert.
        case tellBothSides
        /// The handler reports the error to the next handlers only, because the channel is inactive.
        case tellHandlers
        /// The handler closes the channel without a report, because the connection was closing anyway.
        case closeChannel
        case nothing
    }

    /// What the handler does when the channel has become inactive.
    package enum OnInactive: Hashable, Sendable {
        /// The handler delivers the bytes that have arrived, and then calls `finishDraining`.
        case deliverRest
        case handshakeInterrupted
        case nothing
    }

    /// Ends the connection after a failure, on this side or at the peer.
    package mutating func fail() -> OnFailure {
        switch phase {
        case .idle, .handshaking, .open:
            phase = .failed
            return .tellBothSides
        case .draining:
            phase = .drained
            return .tellHandlers
        case .closing:
            phase = .closed
            return .closeChannel
        case .failed, .drained, .closed:
            return .nothing
        }
    }

    /// Ends the connection, because the channel has become inactive. Bytes that have arrived before may still be
    /// delivered.
    package mutating func channelBecameInactive() -> OnInactive {
        switch phase {
        case .open(.open, _):
            phase = .draining
            return .deliverRest
        case .handshaking:
            phase = .drained
            return .handshakeInterrupted
        case .idle, .open(.ended, _), .closing, .failed:
            phase = .closed
            return .nothing
        case .draining, .drained, .closed:
            return .nothing
        }
    }

    /// Records that the handler has delivered all bytes that had arrived.
    ///
    /// - Returns: whether the peer's bytes are truncated: they ended without `close_notify`, and the connection had
    ///   neither failed nor been closed before.
    package mutating func finishDraining() -> Bool {
        guard phase == .draining else { return false }
        phase = .drained
        return true
    }

    /// Ends the connection in every phase, because the handler closes the channel or leaves the pipeline. Safe to
    /// repeat.
    package mutating func end() {
        phase = .closed
    }
}
