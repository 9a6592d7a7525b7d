package import TransferCommon
package import WireProtocol

/// What the agent's machine wants the shell to do. The shell performs the actions in order.
package enum AgentAction: Hashable, Sendable {
    /// Connect to a gateway through this network interface, or by the system's routes if `interface` is `nil`. Answered
    /// by `connected`, `connectionLost` or `rejected`.
    case connect(ConnectionID, interface: String? = nil)
    case send(ConnectionID, Slot, Frame)
    /// Read the bytes if the shell does not hold them, compress them if that makes them smaller, and send them as one
    /// PART DATA frame. Chunks of one connection go in order. Answered by `chunkEncoded`, then `chunkSent` or
    /// `chunkFailed`.
    case sendChunk(Chunk)
    case close(ConnectionID)
    /// Read and hash a part. Answered by `partRead`. With `keep`, the shell should keep the bytes in memory, because
    /// chunks of the part follow soon.
    case readPart(UploadID, PartNumber, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool)
    /// The part's bytes are not needed any more.
    case releasePart(UploadID, PartNumber)
    /// Read the first `bytes` bytes of the file and compute evidence of the same kind as `like`. Answered by
    /// `evidenceComputed`.
    case computeEvidence(UploadID, bytes: UInt64, partBytes: UInt64, like: ContentEvidence)
    /// Read the file's stamp again. Answered by `fileChecked`.
    case checkFile(UploadID)
    /// Write to the journal, in order. Answered by `journalCommitted` once the write is durable, or by `journalFailed`.
    case journal(JournalSequence, JournalWrite)
    case report(UploadID, AgentReport)
    /// Pin these keys of the gateway durably, and for connections from now on. Answered by `pinsKept`.
    case keepPins([SHA256Digest])
    /// The upload has ended in this run, with these figures. Its file can be closed.
    case finish(UploadID, UploadOutcome, UploadProgress)
    /// The answer to a proof request. The file can be closed.
    case answered(UploadID, ProofOutcome)
}

/// News of an upload that is under way, for the user.
package enum AgentReport: Hashable, Sendable {
    case opened(SessionID, resumedBytes: UInt64)
    case partProgress(PartNumber, sent: UInt64, size: UInt64, isStored: Bool)
    /// The file is being compared with the object under the key.
    case comparing
    case adopted(SessionID)
    /// The session cannot be used any more, for the reason of this code. The file is sent anew.
    case lost(ErrorCode)
    /// The upload waits, because an earlier version of the file may still appear under the key.
    case waitingForEarlierVersion(Duration)
    /// A connected gateway has not answered for a while. One report stands for all uploads that wait for an answer.
    case waitingForAnswer
    /// A gateway has refused a request or a part with this code. The upload waits, and then tries again.
    case waiting(ErrorCode, message: String)
    /// The gateway sent a receipt that is not kept.
    case receiptRefused(ReceiptRefusal)
}
