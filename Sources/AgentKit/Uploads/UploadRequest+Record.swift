import TransferCommon
import TransferCore

extension UploadRequest {
    /// A request to push the bytes of a key. It continues the unfinished upload that the journal has of the key.
    ///
    /// - Parameters:
    ///   - record: what the journal has of the key.
    ///   - id: for an upload that the journal does not have.
    init(
        pushing key: String, _ stamp: FileStamp, after record: Journal.KeyRecord, newID id: UploadID,
        policy: ExistingKeyPolicy, partBytesWish: UInt64?, metadata: SessionMetadata, wantsReceipt: Bool
    ) {
        let known = record.unfinished
        self.init(
            id: known?.id ?? id, purpose: .push, key: key, stamp: stamp, policy: policy,
            partBytesWish: partBytesWish ?? known?.partBytesWish, saved: known?.saved,
            wasStoredBefore: record.hasReceipt)
        self.metadata = metadata
        withdrawn = record.withdrawn
        fruitlessAttempts = known?.fruitlessAttempts ?? 0
        self.wantsReceipt = wantsReceipt || known?.wantsReceipt == true
    }
}
