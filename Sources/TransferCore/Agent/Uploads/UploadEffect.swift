package import TransferCommon
package import WireProtocol

/// What an upload does because of an event of its session. `SessionExchange` decides, and `AgentUpload` applies the
/// effects in order.
package enum UploadEffect: Hashable, Sendable {
    /// A frame is sent, the file is read, or an event is reported to the user.
    case perform(AgentAction)

    // MARK: The session

    /// The request is sent as soon as a slot is free.
    case ask(PendingRequest)
    case wait(PendingRequest, until: Instant)
    /// All slots are left now. At the given time the session is opened or resumed again.
    case askAgain(at: Instant)
    /// SESSION LEAVE is sent in every slot.
    case leave
    /// A session id is drawn and recorded, and the session is opened when the journal has it.
    case record(FileStamp, partBytes: UInt64)
    /// The file is another version than the one that was begun.
    case takeNewVersion
    /// The file was touched: its stored parts are read again.
    case verify(FileStamp, for: FileVerification.Purpose)
    /// COMPLETE is sent for the parts that are stored.
    case complete
    /// The object was completed as this file. `isCompared`: whether the gateway's evidence equals the file's digest.
    case stored(Completed, root: SHA256Digest?, isCompared: Bool, at: Attachment)
    /// The object is the file already, as this evidence shows.
    case found(SessionExists, ContentEvidence)
    /// The file is unchanged since it was stored, as this proof says.
    case unchanged(StoredProof)
    case end(UploadOutcome)
    /// The outcome is durable and is reported.
    case report(UploadOutcome)

    // MARK: The parts

    case parts(SessionChange)
    /// All parts under way are given up.
    case forgetParts
    /// The store lacks parts that counted as stored.
    case sendAgain([PartNumber])
    /// Parts that are ready are offered.
    case offer
    /// If every part is stored, the file's stamp is read once more.
    case recheck

    // MARK: The journal and the user

    case journal(JournalWrite)
    /// COMPLETE waits until this write is durable.
    case journalBeforeComplete(JournalWrite)
    /// The opening of the session is reported to the user, with the number of bytes that were stored before.
    case reportOpened
    case reportWait(GatewayRefusal)
    /// The upload has made progress, so the agent does not give up for a while.
    case progress
    /// The store has confirmed a one-part file.
    case storeIsWell
}
