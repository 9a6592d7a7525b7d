import Cryptography
import Testing
import TransferCommon
import WireProtocol

// Opens sessions and offers parts as an agent does. The tests then continue in ways that no agent would.

extension HostileClient {
    static let partBytes: UInt64 = 8 << 20

    static func opening(
        _ session: SessionID, size: UInt64, key: String = "file", condition: WriteCondition = .any,
        compares: Bool = false
    ) -> Frame {
        .sessionOpen(
            SessionOpen(
                session: session,
                terms: SessionTerms(
                    key: key, size: size, partBytes: partBytes,
                    modification: ModificationTime(seconds: 1, nanoseconds: 0), condition: condition),
                compares: compares))
    }

    /// Sends SESSION OPEN and waits for SESSION OPENED.
    ///
    /// - Returns: the session token.
    @discardableResult
    func open(_ session: SessionID, size: UInt64, key: String = "file", slot: UInt16 = 1) async throws -> [UInt8] {
        try say(Self.opening(session, size: size, key: key), slot: Slot(slot))
        return try await answer("SESSION OPENED") { frame in
            if case .sessionOpened(let opened) = frame, opened.session == session { opened.token } else { nil }
        }
    }

    /// Sends PART OFFER of part 1 and waits until the gateway permits data.
    ///
    /// - Parameter digest: the offered digest; `nil` for the digest of no bytes. The gateway can refute it only when
    ///   it has received the whole part.
    func offer(size: UInt64, isLast: Bool = true, digest: SHA256Digest? = nil, slot: UInt16 = 1) async throws {
        let part = try #require(PartNumber(1))
        let digest = try digest ?? SHA256Digest.of([UInt8]())
        let offer = PartOffer(part: part, size: size, isLast: isLast, digest: digest, md5: nil)
        try say(.partOffer(offer), slot: Slot(slot))
        try await answer("PART DECISION") { frame in
            if case .partDecision(let decision) = frame, case .send = decision.decision { () } else { nil }
        }
    }

    /// Waits for the first SESSION REFUSED, and returns its code.
    func refusal() async throws -> ErrorCode {
        try await answer("SESSION REFUSED") { frame in
            if case .sessionRefused(let refused) = frame { refused.code } else { nil }
        }
    }
}
