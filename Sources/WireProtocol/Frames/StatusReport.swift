/// What an unattended agent is doing, as REPORT numbers it. Any number can arrive: a receiver shows one that it does
/// not know as unknown.
package struct AgentStatus: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let idle = AgentStatus(rawValue: 0)
    package static let sending = AgentStatus(rawValue: 1)
    /// Waiting for something that ends without a person.
    package static let waiting = AgentStatus(rawValue: 2)
    /// Paused by a person or a schedule.
    package static let paused = AgentStatus(rawValue: 3)
    /// Waiting for a person.
    package static let needsPerson = AgentStatus(rawValue: 4)
}

/// The frame REPORT: which device is behind, and why (specification §4.27, §5.5). It has no answer. Nothing in it is a
/// point in time, because the device's clock may be wrong.
package struct StatusReport: Equatable, Sendable {
    package let status: AgentStatus
    /// Files that are to be sent and are not proven.
    package let pendingItems: UInt32
    /// Bytes of these files.
    package let pendingBytes: UInt64
    /// Age of the oldest of these files; 0 where there is none.
    package let oldestSeconds: UInt32
    /// Files that are not sent until a person looks at them.
    package let quarantinedItems: UInt32
    /// Free bytes on the disk of the files; `nil` where they are not known.
    package let freeBytes: UInt64?
    /// Why the status is what it is, for people. Cut at 512 bytes when it is sent.
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

    /// A receiver that does not know REPORT skips it.
    var flags: UInt8 { FrameHeader.skippableFlag }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        // A known number of that value would arrive as an unknown one.
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
