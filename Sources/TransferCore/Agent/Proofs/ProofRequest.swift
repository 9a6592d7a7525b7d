package import TransferCommon

/// A file about which the agent asks a gateway whether the store holds it (specification §9.6).
package struct ProofRequest: Hashable, Sendable {
    /// Distinguishes the request from the other requests and uploads of the run.
    package var id: UploadID
    /// Without the device's prefix.
    package var key: String
    /// The file as it was found.
    package var stamp: FileStamp
    /// The part size that the root digest depends on; `nil` for the size that a gateway would use for such a file.
    package var partBytes: UInt64?
    /// `nil` if the file has to be read for it. If it is known, `partBytes` is known as well.
    package var root: SHA256Digest?
    /// The gateway may read the object back if nothing else shows its content.
    package var readsBack: Bool

    package init(
        id: UploadID, key: String, stamp: FileStamp, partBytes: UInt64? = nil, root: SHA256Digest? = nil,
        readsBack: Bool = false
    ) {
        self.id = id
        self.key = key
        self.stamp = stamp
        self.partBytes = partBytes
        self.root = root
        self.readsBack = readsBack
    }
}

/// The answer to a proof request.
package enum ProofOutcome: Hashable, Sendable {
    /// The store holds exactly this content.
    case proven(ReceiptOutcome)
    /// The key holds no object.
    case absent
    /// The key holds another object, of this size.
    case different(size: UInt64)
    /// The object has the file's size, and nothing that the gateway may use shows its content.
    case unknown
    case failed(UploadFailure)
}
