package import TransferCommon

/// The gateway's answer to PART OFFER (specification §4.11, §7.1). Each offer gets exactly one.
package struct PartDecision: Hashable, Sendable {
    /// What the gateway has decided about the part.
    package enum Decision: Hashable, Sendable {
        /// The agent shall send the part. The gateway already holds the bytes before `offset`, and the agent may send
        /// the bytes before `limit`.
        case send(offset: ByteOffset, limit: ByteOffset)
        /// The store already has the part, with this ETag.
        case have(etag: String)
        /// The gateway cannot take the part now. The agent offers it again after this time.
        case later(code: ErrorCode, retryAfterMilliseconds: UInt32)
        /// The gateway cannot take the part in this session at all.
        case no(code: ErrorCode)
    }

    package let part: PartNumber
    package let decision: Decision

    package init(part: PartNumber, decision: Decision) {
        self.part = part
        self.decision = decision
    }
}

extension PartDecision: FrameBody {
    private enum Kind: UInt8 {
        case send = 0
        case have = 1
        case later = 2
        case no = 3

        var etagByteCounts: ClosedRange<Int> {
            self == .have ? 1...WireLimits.partETagBytesMax : 0...0
        }
    }

    static var type: FrameType { .partDecision }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        var (offset, limit): (ByteOffset, ByteOffset) = (0, 0)
        var code = ErrorCode(rawValue: 0)
        var retryAfterMilliseconds: UInt32 = 0
        var etag = ""
        let kind: Kind
        switch decision {
        case .send(let sendOffset, let sendLimit): (kind, offset, limit) = (.send, sendOffset, sendLimit)
        case .have(let storedETag): (kind, etag) = (.have, storedETag)
        case .later(let reason, let retryAfter): (kind, code, retryAfterMilliseconds) = (.later, reason, retryAfter)
        case .no(let reason): (kind, code) = (.no, reason)
        }
        writer.partNumber(part)
        writer.choice(kind)
        writer.integer(offset)
        writer.integer(limit)
        writer.choice(code)
        writer.integer(retryAfterMilliseconds)
        try writer.text16(etag, "etag", kind.etagByteCounts)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        part = try reader.partNumber("part")
        let kind: Kind = try reader.choice("decision")
        let offset: ByteOffset = try reader.integer("offset", isMeant: kind == .send)
        let limit: ByteOffset = try reader.integer("limit", isMeant: kind == .send)
        let code = ErrorCode(rawValue: try reader.integer("code", isMeant: kind == .later || kind == .no))
        let retryAfterMilliseconds: UInt32 = try reader.integer("retryAfterMilliseconds", isMeant: kind == .later)
        let etag = try reader.text16("etag", kind.etagByteCounts)
        decision =
            switch kind {
            case .send: .send(offset: offset, limit: limit)
            case .have: .have(etag: etag)
            case .later: .later(code: code, retryAfterMilliseconds: retryAfterMilliseconds)
            case .no: .no(code: code)
            }
    }
}
