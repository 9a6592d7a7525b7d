import SystemSupport
import TransferCommon

/// Distinguishes a store that has no objects from a store whose disk was unmounted.
struct StorePresence: Sendable {
    static let directoryIsGone = "The store's directory no longer exists."

    let layout: FileStoreLayout
    let files: FileSystem
    /// The status of `.sluice/uploads` when the store was opened. If the path later leads to another folder, the disk
    /// was unmounted.
    let uploadsFolder: FileStatus

    /// Checks that the path still leads to the directory that was opened. Callers do this before they report an object
    /// or upload as absent.
    ///
    /// - Throws: `.bucketMissing` if the path no longer leads to the directory that was opened. In the empty mount
    ///   point of an unmounted disk, every object would otherwise seem to be absent.
    func confirm() throws {
        guard let found = try files.status(layout.uploads), found.isSameFile(as: uploadsFolder) else {
            throw StoreError(.bucketMissing, Self.directoryIsGone)
        }
    }
}
