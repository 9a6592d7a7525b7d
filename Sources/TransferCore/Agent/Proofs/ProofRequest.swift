package import TransferCommon

/// A file about which the agent asks a gateway whether the store holds it (specification §9.6).
package struct ProofRequest: Hashable, Sendable {
    /// Distinguishes the request from the other requests and uploads of the run.
    package var id: UploadID
    /// The file's key, without the device's prefix.
    package var key: String
    /// The file as it was found.
    package var stamp: FileStamp
    /// The part size of the root digest; `nil` to use the one that the gateway chooses for a file of this size.
    package var partBytes: UInt64?
    /// The root digest of the file, with `partBytes`; `nil` if the agent has to read the file to compute it.
    package var root: SHA256Digest?
    /// Whether the gateway may read the object back if nothing else shows its content.
    package var readsBack: Bool
    /// Whether the stamp distinguishes the file from every later version, because it was old enough when found.
    package var stampCounts = false

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
    /// The object has the file's size, but the gateway has no evidence of the object's content.
    case unknown
    case failed(UploadFailure)

    /// Whether the key holds no object, or another one.
    var isOtherThanFile: Bool {
        switch self {
        case .absent, .different: true
        case .proven, .unknown, .failed: false
        }
    }
}
