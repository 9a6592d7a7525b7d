package import TransferCommon
package import WireProtocol

/// Names one connection for as long as it lasts; given by the shell in the order of accepting, never used again.
package struct ConnectionID: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: ConnectionID, right: ConnectionID) -> Bool { left.value < right.value }
}

/// A device that may use this site, as the device list has it, or as an authority vouches for it.
package struct AuthorisedDevice: Hashable, Sendable {
    /// What sessions belong to, for as long as they live: no two devices have one name at a time.
    package var name: String
    /// What a device is told apart by, and what its HELLO is handed over with: the fingerprint of its key. Where an
    /// authority vouches for its name, a digest of that, so that with another key it is the same device.
    package var fingerprint: SHA256Digest
    /// Empty, or ending in `/`.
    package var prefix: String
    package var limits: DeviceLimits

    package init(name: String, fingerprint: SHA256Digest, prefix: String, limits: DeviceLimits = DeviceLimits()) {
        self.name = name
        self.fingerprint = fingerprint
        self.prefix = prefix
        self.limits = limits
    }
}

/// What one device may use, more or less than others of its site; `nil` where the site's limit is the device's.
///
/// What holds for all devices together (`GatewayLimits`) holds whatever stands here.
package struct DeviceLimits: Hashable, Sendable {
    /// At least 1.
    package var connectionsMax: Int?
    /// At least 1.
    package var sessionsMax: Int?
    /// Bytes of parts under way and of part lists; at least `budgetBytesMin`.
    package var budgetBytes: UInt64?

    /// A quarter of it holds the list of 10,000 parts, so that every upload can be gone on with, whatever the budget
    /// was when it began.
    package static let budgetBytesMin: UInt64 = 8 << 20

    package init(connectionsMax: Int? = nil, sessionsMax: Int? = nil, budgetBytes: UInt64? = nil) {
        self.connectionsMax = connectionsMax
        self.sessionsMax = sessionsMax
        self.budgetBytes = budgetBytes
    }
}

/// What the gateway's machine wants done. The shell does these in order.
package enum GatewayAction: Hashable, Sendable {
    case send(ConnectionID, Slot, Frame)
    /// After what was sent has been flushed.
    case close(ConnectionID)
    /// Answered by `storeAnswered`, once, also after a cancellation.
    case store(StoreRequestID, StoreRequest)
    case cancel(StoreRequestID)
    /// Bytes of this flow will come. Where `holdsLast`, the store gets the last of them only after `releaseFlow`.
    case openFlow(FlowID, size: UInt64, holdsLast: Bool)
    case releaseFlow(FlowID)
    /// The flow ends here; a store call that reads from it fails.
    case dropFlow(FlowID)
    /// Somebody with this key has an invitation, it says. Answered by `enrolled`, once.
    case enrol(ConnectionID, fingerprint: SHA256Digest, InvitationSecret)
    /// A line for the log; names and numbers only.
    case note(GatewayNote)
}

/// What is worth a line in the gateway's log.
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
    /// A receipt was asked for, and could not be signed.
    case unsigned(device: String)
    /// A part that held memory and did not move was evicted.
    case partEvicted(SessionID, PartNumber)
    /// The store is down or full: parts wait from now on.
    case storeUnavailable(StoreBreaker.Cause)
    /// It takes parts again.
    case storeRecovered
}
