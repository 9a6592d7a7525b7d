/// The state of an agent that runs unattended, with the numbers that REPORT uses. Any number can arrive; a receiver
/// shows a number that it does not know as "unknown".
package struct AgentStatus: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let idle = AgentStatus(rawValue: 0)
    package static let sending = AgentStatus(rawValue: 1)
    /// The agent waits for something that happens without a person, such as a connection.
    package static let waiting = AgentStatus(rawValue: 2)
    /// A person or a schedule has paused the agent.
    package static let paused = AgentStatus(rawValue: 3)
    /// The agent can continue only after a person has done something.
    package static let needsPerson = AgentStatus(rawValue: 4)
}

/// The frame REPORT: how far a device is behind, and why (specification §4.27, §5.5). It has no answer. It carries
/// ages and no timestamps, because the device's clock may be wrong.
package struct StatusReport: Hashable, Sendable {
    package let status: AgentStatus
    /// Number of pending files: files that the device has to upload and that are not yet proven to be stored.
    package let pendingItems: UInt32
    /// Total size of the pending files in bytes.
    package let pendingBytes: UInt64
    /// Age in seconds of the oldest pending file; 0 if there is none.
    package let oldestSeconds: UInt32
    /// Number of files that the agent does not upload until a person has looked at them.
    package let quarantinedItems: UInt32
    /// Free bytes on the disk that holds the files; `nil` if unknown.
    package let freeBytes: UInt64?
    /// The reason for the status, for people. The sender cuts it at 512 bytes.
    package let reason: String

    package init(
        status: AgentStatus, pendingItems: UInt32, pendingBytes: UInt64, oldestSeconds: UInt32,
        quarantinedItems: UInt32, freeBytes: UInt64?, reason: String
    ) {
        self.status = status
        self.pendingItems = pendingItems
        self.pendingBytes = pendingBytes
        self.oldestSeconds = oldestSeconds
        self.quarantinedItems = quarantinedItems
        self.freeBytes = freeBytes
        self.reason = reason
    }
}

extension StatusReport: FrameBody {
    static var type: FrameType { .report }

    /// Allows a receiver that does not know REPORT to skip the frame.
    var flags: UInt8 { FrameHeader.skippableFlag }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        // On the wire this value means "unknown", so a known number must not have it.
        guard freeBytes != WireLimits.unknownFreeBytes else { throw writer.badValue("freeBytes") }
        writer.choice(status)
        writer.integer(pendingItems)
        writer.integer(pendingBytes)
        writer.integer(oldestSeconds)
        writer.integer(quarantinedItems)
        writer.integer(freeBytes ?? WireLimits.unknownFreeBytes)
        try writer.message(reason, "reason")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        status = AgentStatus(rawValue: try reader.integer())
        pendingItems = try reader.integer()
        pendingBytes = try reader.integer()
        oldestSeconds = try reader.integer()
        quarantinedItems = try reader.integer()
        let free: UInt64 = try reader.integer()
        freeBytes = free == WireLimits.unknownFreeBytes ? nil : free
        reason = try reader.message("reason")
    }
}
