package import TransferCommon
package import WireProtocol

/// How a session ends: the answer to its slots, its phase afterwards, and what it leaves in the store.
package struct SessionEnding: Hashable, Sendable {
    /// The answer that every slot gets.
    package enum Answer: Hashable, Sendable {
        /// - isVerified: whether the object's evidence is verified, so that the gateway may state it in a receipt.
        case completed(Completed, isVerified: Bool)
        case exists(SessionExists)
        case refused(SessionRefused)
        case aborted

        /// The frame that answers a slot, by its state. `lost`: the answer to a RESUME QUERY if the session is lost.
        package func frame(for slot: AttachedSlot, ifLost lost: ResumeState) -> Frame {
            switch self {
            case .completed(let completed, _): return .completed(completed)
            case .exists(let exists): return .sessionExists(exists)
            case .aborted: return .aborted(Aborted())
            case .refused(let refusal):
                if refusal.code == .sessionLost, case .resume = slot.question { return .resumeState(lost) }
                return slot.refusing(refusal)
            }
        }
    }

    /// What the session leaves in the store. The gateway removes this after it has answered the slots. If the removal
    /// fails, the store's cleaning removes it later.
    package enum Remainder: Hashable, Sendable {
        case nothing
        /// The session's record.
        case record
        /// The session's upload, and then its record.
        case upload(String)
    }

    package let answer: Answer
    package let remainder: Remainder
    package let note: GatewayNote?

    private init(_ answer: Answer, _ remainder: Remainder, note: GatewayNote?) {
        self.answer = answer
        self.remainder = remainder
        self.note = note
    }

    /// The ending of a session whose object, of `bytes` bytes, the store has. `leavesUpload`: whether another upload
    /// may have made the object, so that the session's own upload may be left in the store.
    package static func settled(
        _ target: SessionTarget, _ object: StoredObject, bytes: UInt64, leavesUpload: Bool
    ) -> SessionEnding {
        let remainder: Remainder =
            switch (leavesUpload, target.isOnePart) {
            case (true, _): target.facts.upload.map { .upload($0) } ?? .nothing
            case (false, true): .nothing
            case (false, false): .record
            }
        return SessionEnding(
            .completed(target.completed(object, bytes: bytes), isVerified: object.isVerified), remainder,
            note: .completed(target.session, device: target.device.name, key: target.key, bytes: bytes))
    }

    /// The ending of a session because the key holds an object that the session may not replace, or that the agent
    /// compares with the file first.
    package static func taken(_ target: SessionTarget, _ object: ObjectSummary) -> SessionEnding {
        let exists = SessionExists(
            size: object.size, partBytes: object.partBytes, evidence: object.evidence, etag: object.etag,
            version: object.version, session: object.session)
        let isCompared = target.writeGuard.agentCompares(with: object)
        return SessionEnding(
            .exists(exists), target.facts.upload.map { .upload($0) } ?? .nothing,
            note: isCompared ? nil : failure(target, .keyTaken, "the key holds another object"))
    }

    /// The ending of a session that cannot continue; its upload and record stay for the agent or the store's cleaning.
    package static func refused(_ target: SessionTarget, _ refusal: SessionRefused) -> SessionEnding {
        SessionEnding(.refused(refusal), .nothing, note: failure(target, refusal.code, refusal.message))
    }

    private static func failure(_ target: SessionTarget, _ code: ErrorCode, _ message: String) -> GatewayNote {
        .failed(target.session, device: target.device.name, key: target.key, code, message: message)
    }

    /// The ending of a session after ABORT, when nothing of the session is left in the store.
    package static func aborted(_ target: SessionTarget) -> SessionEnding {
        SessionEnding(.aborted, .nothing, note: .aborted(target.session, device: target.device.name, key: target.key))
    }

    /// The phase after the ending. The gateway remembers a session that has its object, and a session whose upload it
    /// still has to drop. It forgets every other session at once.
    package var phase: SessionPhase {
        switch (answer, remainder) {
        case (.completed(let completed, let isVerified), _): .settled(completed, isVerified: isVerified)
        case (.exists(let exists), .upload): .taken(exists)
        case (.exists, .nothing), (.exists, .record), (.refused, _), (.aborted, _): .ended
        }
    }
}

extension SessionRefused {
    /// - Parameter message: what is wrong, in words for a person; never empty.
    init(_ code: ErrorCode, retryAfter: Duration = .zero, message: String) {
        self.init(code: code, retryAfterMilliseconds: retryAfter.wireMilliseconds, message: message)
    }

    var asSessionError: ErrorReport {
        ErrorReport(
            scope: .session, code: code, retryAfterMilliseconds: retryAfterMilliseconds, message: message)
    }

    /// The refusal for a state that cannot occur unless this program has an error.
    static func defect(_ message: String) -> SessionRefused { SessionRefused(.internal, message: message) }

    static let aborted = SessionRefused(.superseded, message: "the session was aborted")
    static let lost = SessionRefused(
        .sessionLost, message: "the store has neither the upload nor an object of this session")
}
