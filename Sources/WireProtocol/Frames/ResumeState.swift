package import TransferCommon

/// The state of a session that the agent resumes (field `state`, specification §4.16).
package enum ResumePhase: UInt8, Sendable {
    /// The slot is open; the agent can send parts.
    case ongoing = 0
    /// A gateway is completing the session; the outcome follows in this slot.
    case completing = 1
    /// The store has neither the upload nor an object of this session.
    case lost = 2
}

/// The gateway's answer to RESUME QUERY (specification §4.16, §8.1).
package struct ResumeState: Hashable, Sendable {
    package let phase: ResumePhase
    package let partBytes: UInt64
    /// How many parts the following PART LIST frames name; 0: no PART LIST follows.
    package let candidateParts: UInt32
    /// At most 1,024; empty unless the agent asked for them.
    package let partials: [PartialPart]
    /// Parts that the agent listed as stored and must send again; at most 10,000.
    package let wanted: [PartNumber]
    /// A new token, at most 4,096 bytes; empty unless the phase is `ongoing`.
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
