import Synchronization
import SystemSupport
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Opens and makes the folders of keys. Each folder is opened from within the folder above it, and its entries are
/// accessed only through its descriptor, so that no path leads out of the store.
struct KeyFolders: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    /// The status of the store's directory when it was opened. It shows later whether the path leads to another
    /// directory, such as the empty mount point of an unmounted disk.
    let root: FileStatus
    /// The status of `.sluice`. It shows whether a key leads into this folder by another name, on a file system that
    /// treats several names as equal.
    let ownFolder: FileStatus
    /// Whether folders are opened with `openat2`. The store tests once whether the kernel has this call; after that,
    /// its failure is an error.
    let walk: FolderWalk
    private let durableFolders = DurableFolders()

    /// Maximum number of attempts for a step that fails if another gateway removes or makes a folder of the key at the
    /// same time.
    static let placingsMax = 10
    static let notAFile = "The key's path exists and is not a regular file."

    /// - Throws: `.bucketMissing` if the store's path leads to another directory than when the store was opened. If the
    ///   disk was unmounted, all objects would otherwise seem to be absent.
    private func openRoot() throws -> OpenFolder {
        let file: OpenFile
        do {
            file = try files.openFolder(layout.root)
        } catch {
            guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
            throw StoreError(.bucketMissing, StorePresence.directoryIsGone, cause: error)
        }
        guard try file.status().isSameFile(as: root) else {
            throw StoreError(.bucketMissing, StorePresence.directoryIsGone)
        }
        return OpenFolder(file, walk: walk)
    }

    /// Opens the folder that contains an object's name.
    ///
    /// - Returns: `nil` if this folder or one above it is missing.
    func openParent(of key: FileStoreKey) throws -> OpenFolder? {
        var folder = try openRoot()
        for name in key.folders {
            guard let next = try step(into: name, from: folder) else { return nil }
            folder = next
        }
        return folder
    }

    /// Opens the folder of an object and makes missing folders. On return, the names of all folders of the key are
    /// durable, including those that another gateway made.
    func makeParent(of key: FileStoreKey) throws -> OpenFolder {
        var folder = try openRoot()
        guard !key.folders.isEmpty else { return folder }
        var identity = try folder.identity()
        for name in key.folders {
            let next = try makeFolder(name, in: folder, &identity)
            folder = next
        }
        return folder
    }

    /// - Parameter identity: identity of the parent folder; on return, identity of the opened folder.
    private func makeFolder(
        _ name: String, in parent: borrowing OpenFolder, _ identity: inout FolderIdentity
    ) throws -> OpenFolder {
        var isMade = false
        for _ in 1...Self.placingsMax {
            guard let folder = try step(into: name, from: parent) else {
                do {
                    try parent.makeFolder(name, permissions: FileStoreLayout.keyFolderPermissions)
                    isMade = true
                } catch {
                    // EEXIST: another gateway made the folder first. It may not have synced the name, so the name is
                    // synced below.
                    guard error.code == EEXIST else { throw error }
                }
                continue
            }
            let place = FolderPlace(parent: identity, name: Array(name.utf8))
            identity = try folder.identity()
            if isMade || !durableFolders.contains(place, identity) {
                try parent.sync()
                durableFolders.insert(place, identity)
            }
            return folder
        }
        throw StoreError(.unavailable, "A folder of the key keeps being removed.")
    }

    private func step(into name: String, from folder: borrowing OpenFolder) throws -> OpenFolder? {
        let next: OpenFolder
        do {
            next = try folder.openFolder(name)
        } catch {
            switch error.code {
            case ENOENT: return nil
            case ENOTDIR:
                throw StoreError(
                    .keyUnsupported, "An object exists where this key needs a folder; a directory cannot hold both.",
                    cause: error)
            case ELOOP:
                throw StoreError(
                    .keyUnsupported, "The key's path has a symbolic link in it, and the store follows none.",
                    cause: error)
            case EXDEV: throw StoreError(.keyUnsupported, "The key's path leads out of the store.", cause: error)
            default: throw error
            }
        }
        guard try !next.status().isSameFile(as: ownFolder) else {
            throw StoreError(.keyUnsupported, "The key's path leads into the folder of the gateways.")
        }
        guard try !next.foldsCase() else {
            throw StoreError(
                .keyUnsupported,
                "A folder of the key does not distinguish upper case from lower case, so keys could "
                    + "replace one another. Empty it and remove its attribute (chattr -F).")
        }
        return next
    }

    /// Checks whether existing objects and folders allow an object under this key.
    ///
    /// - Returns: the status of the object under the key, or `nil` if there is none.
    /// - Throws: `.keyUnsupported` if an object exists where the key needs a folder, or if the path leads out of the
    ///   store.
    func check(_ key: FileStoreKey) throws -> FileStatus? {
        guard let parent = try openParent(of: key) else { return nil }
        return try check(key, in: parent)
    }

    /// Checks a key as `check(_:)` does, in a folder that is open already.
    ///
    /// - Parameter parent: the folder that contains the object's name.
    func check(_ key: FileStoreKey, in parent: borrowing OpenFolder) throws -> FileStatus? {
        guard let status = try parent.status(of: key.name) else { return nil }
        switch status.kind {
        case .file:
            return status
        case .other:
            throw StoreError(.keyUnsupported, Self.notAFile)
        case .folder:
            guard !status.isSameFile(as: ownFolder), try !parent.holdsAnything(in: key.name) else {
                throw StoreError(.keyUnsupported, "Objects exist below this key; a directory cannot hold both.")
            }
            return nil
        }
    }

    /// Makes an object's name durable by syncing its folder, if the folder still exists.
    func syncParent(of key: FileStoreKey) throws {
        guard let parent = try openParent(of: key) else { return }
        try parent.sync()
    }
}

private struct FolderPlace: Hashable, Sendable {
    var parent: FolderIdentity
    var name: [UInt8]
}

/// Remembers folders whose names are durable, so that a write does not sync all folders above the object each time.
///
/// An entry contains the folder's identity. If another folder gets the name later, the entry does not apply to it.
private final class DurableFolders: Sendable {
    private static let countMax = 4096
    private let folders = Mutex<[FolderPlace: FolderIdentity]>([:])

    func contains(_ place: FolderPlace, _ identity: FolderIdentity) -> Bool {
        folders.withLock { $0[place] == identity }
    }

    /// If the table is full, it is emptied first; that costs no more than syncing folders again.
    func insert(_ place: FolderPlace, _ identity: FolderIdentity) {
        folders.withLock { folders in
            if folders.count >= Self.countMax { folders.removeAll() }
            folders[place] = identity
        }
    }
}
