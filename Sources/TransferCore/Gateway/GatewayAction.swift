package import TransferCommon
package import WireProtocol

/// Names one connection. The shell numbers connections in the order in which it accepts them, and never uses a number
/// again.
package struct ConnectionID: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: ConnectionID, right: ConnectionID) -> Bool { left.value < right.value }
}

/// A device that may use this site: named by the device list, or by an authority.
package struct AuthorisedDevice: Hashable, Sendable {
    /// The device's name. Sessions belong to the device with this name, so no two devices have the same name at a time.
    package var name: String
    /// Identifies the device; HELLO carries it. For a device on the list, it is the fingerprint of the device's key.
    /// For a device that an authority names, it is a digest of the device's name, so that the device stays the same
    /// when its key changes.
    package var fingerprint: SHA256Digest
    /// The beginning of all keys of the device: empty, or ending in `/`.
    package var prefix: String
    package var limits: DeviceLimits

    package init(name: String, fingerprint: SHA256Digest, prefix: String, limits: DeviceLimits = DeviceLimits()) {
        self.name = name
        self.fingerprint = fingerprint
        self.prefix = prefix
        self.limits = limits
    }
}

/// The limits of one device, if they differ from the site's; `nil` where the site's limit counts. The limits of all
/// devices together (`GatewayLimits`) hold in any case.
package struct DeviceLimits: Hashable, Sendable {
    /// At least 1.
    package var connectionsMax: Int?
    /// At least 1.
    package var sessionsMax: Int?
    /// Bytes of parts and part lists that the gateway holds; at least `budgetBytesMin`.
    package var budgetBytes: UInt64?

    /// The smallest budget of a device. A quarter of this budget holds a list of 10,000 parts, so that every upload can
    /// be resumed, even one that began under a larger budget.
    package static let budgetBytesMin: UInt64 = 8 << 20

    package init(connectionsMax: Int? = nil, sessionsMax: Int? = nil, budgetBytes: UInt64? = nil) {
        self.connectionsMax = connectionsMax
        self.sessionsMax = sessionsMax
        self.budgetBytes = budgetBytes
    }
}

/// What the shell does for the machine. The shell performs actions in order.
package enum GatewayAction: Hashable, Sendable {
    case send(ConnectionID, Slot, Frame)
    /// Close the connection after everything sent has been flushed.
    case close(ConnectionID)
    /// Send a request to the store. The shell answers each request with exactly one event `storeAnswered`, even after a
    /// cancellation.
    case store(StoreRequestID, StoreRequest)
    case cancel(StoreRequestID)
    /// Make a flow for the bytes of a part, which follow. If `holdsLast`, the store gets the last bytes only after
    /// `releaseFlow`.
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
    case refused(ConnectionID, ErrorCode)
    case opened(SessionID, device: String, key: String)
    case resumed(SessionID, device: String, key: String)
    case completed(SessionID, key: String, bytes: UInt64)
    case aborted(SessionID, key: String)
    case lost(SessionID, key: String)
    case failed(SessionID, key: String, ErrorCode)
    /// An agent asked for a receipt, and the gateway could not sign it.
    case unsigned(device: String)
    /// A part that held memory and made no progress was evicted.
    case partEvicted(SessionID, PartNumber)
    /// The store is down or full: from now on agents wait before they send parts.
    case storeUnavailable(StoreBreaker.Cause)
    /// The store takes parts again.
    case storeRecovered
}
