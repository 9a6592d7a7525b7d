package import TransferCommon
import WireProtocol

/// Metadata of an object about its origin. It is fixed when the upload is created; the root digest is not known then.
package struct ObjectMetadata: Hashable, Sendable {
    /// Identifies the session that made the object, if the store keeps metadata.
    package var sessionID: SessionID
    /// Bytes of each part but the last. For an object written by one PutObject, its session's part size.
    package var partBytes: UInt64
    /// The source file's modification time as the device reported it. It is used only to decide whether a file is the
    /// same.
    package var modificationTime: ModificationTime
    /// SHA-256 of the whole object if one PutObject wrote it; `nil` for a multipart upload. The store sets it.
    package var partDigest: SHA256Digest?
    /// The metadata, including the content type, that the user chose for readers of the object. Stores need not
    /// return it to a gateway, and it is no evidence.
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
