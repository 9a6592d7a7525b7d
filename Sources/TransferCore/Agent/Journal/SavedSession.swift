package import TransferCommon
package import WireProtocol

/// A session that was begun, as the journal has it.
package struct SavedSession: Hashable, Sendable {
    package var session: SessionID
    package var token: [UInt8]
    package var partBytes: UInt64
    /// The session's write condition, which follows from `policy`.
    package var condition: WriteCondition
    package var policy: ExistingKeyPolicy
    /// The metadata of the object. Like the condition, it is fixed for the life of the session.
    package var metadata: SessionMetadata
    package var stamp: FileStamp
    package var parts: [PartListEntry]
    /// How often the file's session was lost before.
    package var losses: Int

    package init(
        session: SessionID, token: [UInt8], partBytes: UInt64, condition: WriteCondition = .absent,
        policy: ExistingKeyPolicy = .verify, metadata: SessionMetadata = .none, stamp: FileStamp,
        parts: [PartListEntry], losses: Int
    ) {
        self.session = session
        self.token = token
        self.partBytes = partBytes
        self.condition = condition
        self.policy = policy
        self.metadata = metadata
        self.stamp = stamp
        self.parts = parts
        self.losses = losses
    }
}
