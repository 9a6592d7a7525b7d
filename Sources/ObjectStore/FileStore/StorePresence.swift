import SystemSupport

/// Distinguishes a store without objects from a store whose disk was unmounted.
struct StorePresence: Sendable {
    static let directoryIsGone = "The store's directory no longer exists."

    let layout: FileStoreLayout
    let files: FileSystem
    /// The status of `.sluice/uploads`, to detect that the disk was unmounted.
    let uploadsFolder: FileStatus

    /// Call this before reporting an object or upload as absent.
    ///
    /// - Throws: `.noSuchBucket` if the path no longer leads to the directory that was opened: if the disk was
    ///   unmounted, its empty mount point is left, in which every object would seem absent.
    func confirm() throws {
        guard let found = try files.status(layout.uploads), found.isSameFile(as: uploadsFolder) else {
            throw StoreError(.noSuchBucket, Self.directoryIsGone)
        }
    }
}
