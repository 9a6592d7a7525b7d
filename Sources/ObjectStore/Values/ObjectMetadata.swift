package import TransferCommon
import WireProtocol

/// What an object carries about its origin. Fixed when its upload is created, when the root digest is not known yet.
package struct ObjectMetadata: Hashable, Sendable {
    /// Proves, where the store keeps it, which session made the object.
    package var sessionID: SessionID
    /// The size of every part but the last. For an object put at once: the part size its session was opened with.
    package var partBytes: UInt64
    /// The source file's, as the device reported it. Never used to decide anything but whether a file is the same.
    package var modificationTime: ModificationTime
    /// SHA-256 of the whole object where it was put at once; `nil` for a multipart upload. Stores fill it in.
    package var partDigest: SHA256Digest?
    /// What the user chose for those who read the object, its content type among it. Stores keep it for them and need
    /// not give it back to a gateway: it is no evidence of anything.
    package var userMetadata: SessionMetadata

    package init(
        sessionID: SessionID, partBytes: UInt64, modificationTime: ModificationTime, partDigest: SHA256Digest? = nil,
        userMetadata: SessionMetadata = .none
    ) {
        self.sessionID = sessionID
        self.partBytes = partBytes
        self.modificationTime = modificationTime
        self.partDigest = partDigest
        self.userMetadata = userMetadata
    }
}
