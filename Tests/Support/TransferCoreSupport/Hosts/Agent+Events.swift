package import TransferCommon
package import TransferCore
package import WireProtocol

// One method for each event of an agent, so that a test reads as a list of what happens.

extension Agent {
    package mutating func submit(_ request: UploadRequest, now: Instant) { handle(.submitted(request), now: now) }

    package mutating func drop(_ id: UploadID, now: Instant) { handle(.dropped(id), now: now) }

    package mutating func prove(_ request: ProofRequest, now: Instant) { handle(.asked(request), now: now) }

    package mutating func stop(now: Instant) { handle(.stopped, now: now) }

    package mutating func limitRate(to bytesPerSecond: UInt64?, now: Instant) {
        handle(.rateLimited(bytesPerSecond), now: now)
    }

    package mutating func connected(_ id: ConnectionID, by gateway: GatewayProof? = nil, now: Instant) {
        handle(.connected(id, by: gateway), now: now)
    }

    package mutating func connectionLost(_ id: ConnectionID, now: Instant) { handle(.connectionLost(id), now: now) }

    package mutating func rejected(_ failure: UploadFailure, by id: ConnectionID, now: Instant) {
        handle(.rejected(failure, by: id), now: now)
    }

    package mutating func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID, now: Instant) {
        handle(.receivedFrame(frame, slot: slot, from: id), now: now)
    }

    package mutating func receivedMalformed(_ code: ErrorCode, message: String, from id: ConnectionID, now: Instant) {
        handle(.receivedMalformed(code, message: message, from: id), now: now)
    }

    package mutating func partRead(_ part: PartNumber, of upload: UploadID, _ reading: PartReading, now: Instant) {
        handle(.partRead(part, of: upload, reading), now: now)
    }

    package mutating func evidenceComputed(_ reading: EvidenceReading, of upload: UploadID, now: Instant) {
        handle(.evidenceComputed(reading, of: upload), now: now)
    }

    package mutating func fileChecked(_ result: Result<FileStamp, UploadFailure>, of upload: UploadID, now: Instant) {
        handle(.fileChecked(result, of: upload), now: now)
    }

    package mutating func journalFailed(_ failure: UploadFailure, now: Instant) {
        handle(.journalFailed(failure), now: now)
    }

    package mutating func pinsKept(_ isDurable: Bool, now: Instant) {
        handle(.pinsKept(isDurable: isDurable), now: now)
    }

    package mutating func tick(now: Instant) { handle(.tick, now: now) }
}
