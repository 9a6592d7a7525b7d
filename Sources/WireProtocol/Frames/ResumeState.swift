package import TransferCommon

/// The state of a session that the agent resumes (field `state`, specification §4.16).
package enum ResumePhase: UInt8, Sendable {
    /// The slot is open; the agent can send parts.
    case ongoing = 0
    /// A gateway is completing the session. The outcome follows in this slot.
    case completing = 1
    /// The session is lost: the store has neither the session's upload nor an object that the session wrote.
    case lost = 2
}

/// The gateway's answer to RESUME QUERY (specification §4.16, §8.1).
package struct ResumeState: Hashable, Sendable {
    package let phase: ResumePhase
    package let partBytes: UInt64
    /// Total number of parts in the PART LIST frames that follow; 0 if no PART LIST follows.
    package let candidateParts: UInt32
    /// At most 1,024 partial parts. Empty if the agent did not ask for them.
    package let partials: [PartialPart]
    /// Parts that the agent listed as stored and that it must send again, because the store does not have them as
    /// listed; at most 10,000.
    package let wanted: [PartNumber]
    /// A new token, at most 4,096 bytes, if the phase is `ongoing`. Otherwise empty.
    package let token: [UInt8]

    package init(
        phase: ResumePhase, partBytes: UInt64, candidateParts: UInt32, partials: [PartialPart], wanted: [PartNumber],
        token: [UInt8]
    ) {
        self.phase = phase
        self.partBytes = partBytes
        self.candidateParts = candidateParts
        self.partials = partials
        self.wanted = wanted
        self.token = token
    }
}

extension ResumeState: FrameBody {
    static var type: FrameType { .resumeState }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        guard wanted.count <= WireLimits.wantedPartsMax else { throw writer.badValue("wanted") }
        writer.choice(phase)
        writer.integer(partBytes)
        writer.integer(candidateParts)
        try writer.partials(partials)
        writer.integer(UInt32(wanted.count))
        for part in wanted {
            writer.partNumber(part)
        }
        try writer.token(token, isMeant: phase == .ongoing)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        phase = try reader.choice("state")
        partBytes = try reader.integer()
        candidateParts = try reader.integer()
        partials = try reader.partials()
        let wantedCount: UInt32 = try reader.integer()
        guard wantedCount <= WireLimits.wantedPartsMax else { throw reader.badValue("wanted") }
        wanted = try reader.list(count: Int(wantedCount)) { reader throws(WireError) in
            try reader.partNumber("wanted")
        }
        token = try reader.token(isMeant: phase == .ongoing)
    }
}
