package import TransferCommon

/// The object that was last stored or found under a key, and the file that it equals, according to the journal.
package struct StoredProof: Hashable, Sendable {
    /// This agent's session that wrote the object; `nil` for another writer, or if the store does not tell.
    package var session: SessionID?
    /// The file as it was read.
    package var stamp: FileStamp
    package var partBytes: UInt64
    /// The digest over the parts' digests; `nil` if the object was compared by other evidence.
    package var root: SHA256Digest?
    /// Bytes of the object.
    package var size: UInt64
    /// ETag and version of the object, as the store names them.
    package var etag = ""
    package var version = ""
    /// The store that holds the object, and its whole key there; `nil` if an older journal did not record them.
    package var store: StoreIdentity?
    package var wholeKey: String?
    /// Whether the stamp distinguishes this version of the file from every later one.
    package var stampCounts = false

    package init(session: SessionID?, stamp: FileStamp, partBytes: UInt64, root: SHA256Digest?, size: UInt64) {
        self.session = session
        self.stamp = stamp
        self.partBytes = partBytes
        self.root = root
        self.size = size
    }
}

/// A version of a one-part file whose upload was given up, although the agent may have sent COMPLETE already. The
/// object of this version may appear until the put limit has passed (specification §9.2).
package struct WithdrawnVersion: Hashable, Sendable {
    package var stamp: FileStamp
    /// Minimum time since this version was given up: time that the journal cannot measure does not count.
    package var age: Duration

    package init(stamp: FileStamp, age: Duration) {
        self.stamp = stamp
        self.age = age
    }
}
