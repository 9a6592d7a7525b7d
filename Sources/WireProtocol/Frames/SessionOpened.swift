package import TransferCommon

/// The gateway has opened a session in this slot: the session that the agent began, or an unfinished session of the
/// same file that the gateway has found and adopted (specification §4.7, §8.3).
package struct SessionOpened: Hashable, Sendable {
    /// The state of an adopted session. Its fields have the meanings that they have in RESUME STATE.
    package struct Adoption: Hashable, Sendable {
        /// Total number of parts in the PART LIST frames that follow; 0 if no PART LIST follows.
        package let candidateParts: UInt32
        /// At most 1,024 partial parts.
        package let partials: [PartialPart]

        package init(candidateParts: UInt32, partials: [PartialPart]) {
            self.candidateParts = candidateParts
            self.partials = partials
        }
    }

    /// The session that the slot has from now on.
    package let session: SessionID
    package let partBytes: UInt64
    /// The token of the session, at most 4,096 bytes.
    package let token: [UInt8]
    /// The state of an adopted session; `nil` if the session is the one that the agent began.
    package let adoption: Adoption?

    package init(session: SessionID, partBytes: UInt64, token: [UInt8], adoption: Adoption? = nil) {
        self.session = session
        self.partBytes = partBytes
        self.token = token
        self.adoption = adoption
    }

    /// Whether the session is an unfinished session that the gateway has found.
    package var isAdopted: Bool { adoption != nil }
}

extension SessionOpened: FrameBody {
    /// The header flag that says that `adoption` is present.
    static let adoptedFlag: UInt8 = 1 << 0

    static var type: FrameType { .sessionOpened }

    var flags: UInt8 { isAdopted ? Self.adoptedFlag : 0 }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.sessionID(session)
        writer.integer(partBytes)
        try writer.token(token)
        guard let adoption else { return }
        writer.integer(adoption.candidateParts)
        try writer.partials(adoption.partials)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        session = try reader.sessionID()
        partBytes = try reader.integer()
        token = try reader.token()
        guard reader.flags & Self.adoptedFlag != 0 else {
            adoption = nil
            return
        }
        adoption = Adoption(candidateParts: try reader.integer(), partials: try reader.partials())
    }
}
