package import TransferCommon
package import WireProtocol

/// What the shell does for the machine. The shell performs actions in order.
package enum GatewayAction: Hashable, Sendable {
    case send(ConnectionID, Slot, Frame)
    /// Report `written` with this number of bytes, once everything that was sent so far has been written to the
    /// socket. The shell may combine several such actions into one event with the sum of their numbers.
    case reportWritten(ConnectionID, bytes: UInt64)
    /// Close the connection after everything sent has been flushed.
    case close(ConnectionID)
    /// Send a request to the store. Each is answered by exactly one event `storeAnswered`, even after a cancellation.
    case store(StoreRequestID, StoreRequest)
    case cancel(StoreRequestID)
    /// Make a flow for the bytes of a part that arrive from now on. If `holdsLast`, the store gets the last bytes only
    /// after `releaseFlow`.
    case openFlow(FlowID, size: UInt64, holdsLast: Bool)
    case releaseFlow(FlowID)
    /// End the flow; a call to the store that reads from the flow fails.
    case dropFlow(FlowID)
    /// A peer with this key shows an invitation: look it up. Answered by exactly one event `enrolled`.
    case enrol(ConnectionID, fingerprint: SHA256Digest, InvitationSecret)
    /// Write a line to the log. The line contains only names and numbers.
    case note(GatewayNote)
}

/// One line of the gateway's log.
package enum GatewayNote: Hashable, Sendable {
    case welcomed(ConnectionID, device: String, run: RunID)
    case fenced(ConnectionID, device: String)
    /// The gateway has ended a connection with a code. `device`: its name, if the connection got WELCOME.
    case ended(ConnectionID, device: String?, ErrorCode, message: String)
    /// What a device asked for in a slot was refused before it became a session.
    case refused(ConnectionID, device: String?, ErrorCode, message: String)
    case opened(SessionID, device: String, key: String)
    case resumed(SessionID, device: String, key: String)
    case completed(SessionID, device: String, key: String, bytes: UInt64)
    case aborted(SessionID, device: String, key: String)
    case lost(SessionID, device: String, key: String)
    case failed(SessionID, device: String, key: String, ErrorCode, message: String)
    /// An agent asked for a receipt, and the gateway could not sign it.
    case unsigned(device: String)
    /// A part that held memory and made no progress was evicted.
    case partEvicted(SessionID, PartNumber)
    /// The store is down or full: from now on agents wait before they send parts.
    case storeUnavailable(StoreBreaker.Cause)
    /// The store takes parts again.
    case storeRecovered
}
