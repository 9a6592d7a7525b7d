package import TransferCommon
package import WireProtocol

/// Everything that can happen to an agent (`Agent.handle`).
///
/// An event may arrive after the machine has dropped the connection, the upload or the part that the event names. The
/// machine ignores such an event.
package enum AgentEvent: Hashable, Sendable {
    // MARK: From the user

    /// A file is to be uploaded, or an unfinished upload is to be dropped. The shell submits no more than `Agent.room`.
    case submitted(UploadRequest)
    /// The user drops an upload that is under way.
    case dropped(UploadID)
    /// The user asks whether the store holds a file. The shell passes no more requests than `Agent.room`.
    case asked(ProofRequest)
    /// The user stops the run. The agent keeps all state for the next run, and finishes only what it can within the
    /// grace (`AgentLimits.stopGrace`). A second stop ends the run at once.
    case stopped
    /// From now on the agent sends at most this many bytes per second, over all connections together; `nil` for no
    /// limit. It overrides `AgentLimits.bytesPerSecond`.
    case rateLimited(UInt64?)

    // MARK: From connections

    /// The connection that `AgentAction.connect` requested is established. `by` is `nil` on plain TCP.
    case connected(ConnectionID, by: GatewayProof?)
    /// The connection could not be established, or has ended.
    case connectionLost(ConnectionID)
    /// The handshake failed, and another attempt would fail for the same reason: the gateway does not accept this
    /// agent, or the agent cannot trust the gateway.
    case rejected(UploadFailure, by: ConnectionID)
    /// A frame has arrived.
    case receivedFrame(Frame, slot: Slot, from: ConnectionID)
    /// Bytes that are no frame of the protocol have arrived; `message` names type and field for the gateway's log.
    case receivedMalformed(ErrorCode, message: String, from: ConnectionID)

    // MARK: Answers to `AgentAction.sendChunk`

    /// A chunk has been encoded into a frame, or its connection ended first. `wireBytes`, the size of the frame, counts
    /// against the rate; it is 0 if the connection has ended.
    case chunkEncoded(plainBytes: UInt32, wireBytes: UInt64)
    /// The socket has taken a chunk, whose frame has `wireBytes` bytes with its header.
    case chunkSent(Chunk, wireBytes: UInt64)
    /// The shell could not read or compress a chunk, and will not send it.
    case chunkFailed(Chunk, UploadFailure)

    // MARK: Answers to the actions that read files

    /// The shell has read and hashed a part, or failed to (`AgentAction.readPart`).
    case partRead(PartNumber, of: UploadID, PartReading)
    /// The shell has read a file for a comparison, or failed to (`AgentAction.computeEvidence`).
    case evidenceComputed(EvidenceReading, of: UploadID)
    /// The shell has looked at the file again, or failed to (`AgentAction.checkFile`).
    case fileChecked(Result<FileStamp, UploadFailure>, of: UploadID)

    // MARK: From the disk

    /// All journal writes up to this one are durable (`AgentAction.journal`).
    case journalCommitted(through: JournalSequence)
    /// The journal cannot be written. Every upload and proof ends now, and no outcome can be recorded.
    case journalFailed(UploadFailure)
    /// The pinned keys of gateways are durable, or could not be written (`AgentAction.keepPins`).
    case pinsKept(isDurable: Bool)

    // MARK: From the clock

    /// Time has passed. The shell sends this event at `Agent.nextDeadline`, and may send it at any time.
    case tick
}
