/// How far an upload is.
package struct UploadProgress: Hashable, Sendable {
    package var size: UInt64
    /// Known to be in the store.
    package var storedBytes: UInt64
    /// Plain bytes put on the wire in this run, resends included.
    package var bytesSent: UInt64
    /// Found stored already.
    package var bytesResumed: UInt64
    /// `size` is all that a stream has had so far.
    package var isGrowing = false
    /// The journal got a row with which a later run can go on, unless the outcome deletes it.
    package var isResumable = false

    package init(size: UInt64, storedBytes: UInt64, bytesSent: UInt64, bytesResumed: UInt64) {
        self.size = size
        self.storedBytes = storedBytes
        self.bytesSent = bytesSent
        self.bytesResumed = bytesResumed
    }
}
