/// How far an upload has come, in bytes.
package struct UploadProgress: Hashable, Sendable {
    package var size: UInt64
    /// Bytes that are known to be in the store.
    package var storedBytes: UInt64
    /// Plain bytes put on the wire in this run, resends included.
    package var bytesSent: UInt64
    /// Bytes that were found stored already.
    package var bytesResumed: UInt64
    /// Whether the file is a stream whose end has not been read; `size` then counts the bytes that have been read.
    package var isGrowing = false
    /// Whether the journal has a row from which a later run can continue. A final outcome may delete the row.
    package var isResumable = false
    /// Whether the upload was taken up only to be dropped, at the user's command.
    package var isDropping = false

    package init(size: UInt64, storedBytes: UInt64, bytesSent: UInt64, bytesResumed: UInt64) {
        self.size = size
        self.storedBytes = storedBytes
        self.bytesSent = bytesSent
        self.bytesResumed = bytesResumed
    }
}
