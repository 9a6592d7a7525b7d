package import TransferCommon
package import WireProtocol

/// What an event means for a part. `PartTransfer` returns this result, and `AgentUpload` applies it.
package enum OnPart: Hashable, Sendable {
    case nothing
    /// Data of the part may be sent on this connection, or the socket has the whole part. The `earlyBytes` no longer
    /// count against the initial credit of the connection.
    case credit(OutgoingPart.OnCredit, on: ConnectionID, earlyBytes: UInt64)
    /// The same as `credit`; in addition, a gateway has received more of the part than in any attempt before.
    case arrived(OutgoingPart.OnCredit, on: ConnectionID)
    /// The part is offered once the window admits it. `streamBytes`: size of the stream, if the part is its last.
    case offer(streamBytes: UInt64?)
    /// The file was touched, and has this stamp now: the part is read a second time, with MD5 if it had one.
    case readTwice(FileStamp, bytes: UInt64, withMD5: Bool)
    /// The gateway received other bytes than the agent hashed: a second read shows whether the file has changed.
    case readAgain
    /// The store has the part.
    case stored(etag: String)
    /// Another attempt may succeed.
    case `defer`(GatewayRefusal)
    case end(UploadFailure)
    /// The upload drops its session at the gateway, and then ends with this failure.
    case abandon(UploadFailure)
}

/// What an event of the session changes in the parts.
package enum SessionChange: Hashable, Sendable {
    /// A session of an earlier run is continued. The journal names these parts as stored. `isQueried`: whether the
    /// agent resumes the session by RESUME QUERY instead of opening it again.
    case restored([PartListEntry], isQueried: Bool)
    /// The stored parts are of the file as it is now: they count as resumed.
    case accepted
    /// The file is another version, and no part of it is stored.
    case notStored
    /// A new session begins.
    case startedOver
    /// The gateway has replaced the session by one that it knows.
    case adopted
    /// RESUME QUERY has been answered.
    case queryAnswered
    /// A gateway has named partials, and announced a list of candidates.
    case named([PartialPart], candidateCount: UInt32, in: Attachment, of: PartPlan?)
    /// The object already has the file's content.
    case found(bytes: UInt64)
}
