package import TransferCommon
package import WireProtocol

/// One change to the journal. The shell may join several changes in one transaction, in order.
package enum JournalWrite: Hashable, Sendable {
    /// A session begins, or is adopted. The agent opens the session only after this write is durable.
    case began(UploadID, SavedSession)
    case token(UploadID, [UInt8])
    case stored(UploadID, PartListEntry)
    /// Parts that the store turned out to lack.
    case unstored(UploadID, [PartNumber])
    case restamped(UploadID, FileStamp)
    /// Counts a lost session, which cannot be used any more. A new session for the file begins (specification §8.5).
    case lost(UploadID, losses: Int)
    /// So many attempts in a row sent data and brought no part of the upload into the store (`FruitlessAttempts`).
    case fruitless(UploadID, attempts: Int)
    /// The upload is to be dropped: by this run, or by the next one if this run ends first.
    case dropping(UploadID)
    /// Keeps the version of the file in the upload's row, which is about to be deleted: it may still appear.
    case mayStillAppear(UploadID)
    case finished(UploadID, UploadOutcome)
    /// A gateway names another store, device name or key prefix for this device than the journal has.
    case site(DeviceSite)
    /// A gateway has shown, as the answer to a user's question, that the key holds exactly this file.
    case proved(key: String, UploadReceipt)
    /// A gateway says that the key holds no object, or another: the next push must not skip the file by its stamp.
    case doubted(key: String)
    /// A receipt that a gateway has signed after the upload had ended, or as the answer to a user's question.
    case receipt(StoredReceipt)
}

/// Names a journal write for as long as it is not durable.
package struct JournalSequence: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: JournalSequence, right: JournalSequence) -> Bool { left.value < right.value }
}
