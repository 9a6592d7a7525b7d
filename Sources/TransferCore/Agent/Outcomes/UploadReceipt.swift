package import TransferCommon

/// Proof of a finished upload, for the journal and the user.
package struct UploadReceipt: Hashable, Sendable {
    package var size: UInt64
    package var partBytes: UInt64
    /// The root digest of the content; `nil` if the object was compared by other evidence.
    package var root: SHA256Digest?
    package var evidence: ContentEvidence
    package var etag: String
    package var version: String
    /// This agent's session that wrote the object; `nil` for another writer, or if the store does not tell.
    package var session: SessionID?
    /// The file as it was read; `nil` for a stream.
    package var stamp: FileStamp?
    /// Whether the stamp distinguishes the file from every later version.
    package var stampCounts = false
    /// The device's store and key prefix, according to the gateway that reported the object.
    package var site: DeviceSite?
    /// Whether the file was not read, because its stamp is that of the journal's proof. The journal keeps that proof.
    package var isUnchanged = false
    /// The gateway's signed receipt, if the user wants one.
    package var signed = ReceiptOutcome.notAskedFor

    package init(
        size: UInt64, partBytes: UInt64, root: SHA256Digest?, evidence: ContentEvidence, etag: String, version: String,
        session: SessionID? = nil, stamp: FileStamp? = nil
    ) {
        self.size = size
        self.partBytes = partBytes
        self.root = root
        self.evidence = evidence
        self.etag = etag
        self.version = version
        self.session = session
        self.stamp = stamp
    }
}
