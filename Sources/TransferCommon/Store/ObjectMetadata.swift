/// Metadata that a gateway stores with an object, about the file that the object was made from. The gateway writes it
/// when it creates the upload. The root digest is not yet known at that time, so the metadata does not contain it.
package struct ObjectMetadata: Hashable, Sendable {
    /// Identifies the session that made the object, if the store keeps metadata.
    package var session: SessionID
    /// Size in bytes of each part except the last. For an object that one PutObject wrote: the part size of the
    /// session.
    package var partBytes: UInt64
    /// The source file's modification time as the device reported it. It is used only to decide whether a file on the
    /// device is the one that was uploaded.
    package var modification: ModificationTime
    /// SHA-256 of the whole object if one PutObject wrote it; `nil` for a multipart upload. The store sets it.
    package var partDigest: SHA256Digest?
    /// The metadata, including the content type, that the user chose for readers of the object. A store need not return
    /// it to a gateway, and it is no evidence of the object's content.
    package var userMetadata: SessionMetadata

    package init(
        session: SessionID, partBytes: UInt64, modification: ModificationTime, partDigest: SHA256Digest? = nil,
        userMetadata: SessionMetadata = .none
    ) {
        self.session = session
        self.partBytes = partBytes
        self.modification = modification
        self.partDigest = partDigest
        self.userMetadata = userMetadata
    }
}
