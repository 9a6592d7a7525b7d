package import TransferCommon

/// A file of which a gateway is asked whether the store holds it (specification §9.6).
package struct ProofRequest: Hashable, Sendable {
    /// Tells it from the other requests and uploads of the run.
    package var id: UploadID
    /// Without the device's prefix.
    package var key: String
    /// The file as it was found.
    package var stamp: FileStamp
    /// The part size that the root digest depends on; `nil` for the one that a gateway takes for such a file.
    package var partBytes: UInt64?
    /// `nil` where the file is to be read for it. Where it is known, so is `partBytes`.
    package var root: SHA256Digest?
    /// The gateway may read the object back where nothing else tells its content.
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

/// What came of asking.
package enum ProofOutcome: Hashable, Sendable {
    /// The store holds exactly this content.
    case proven(ReceiptOutcome)
    /// The key holds no object.
    case absent
    /// The object has this size, and is another one.
    case different(size: UInt64)
    /// The object has the file's size, and nothing that the gateway may ask tells its content.
    case unknown
    case failed(UploadFailure)
}
