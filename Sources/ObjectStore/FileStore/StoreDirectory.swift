import Logging
import Synchronization
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The steps that a FileStore takes on its directory. All of them block; `FileStore` runs them on its threads.
///
/// They throw `StoreError` where they know what a failure means, and `FileError` where the general rule is right
/// (`StoreError.init(_: FileError)`).
struct StoreDirectory: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let instance: FileStoreInstance
    let logger: Logger

    /// `.sluice`, to recognise it under another name where the file system takes several names for one.
    private let ownFolder: FileStatus
    /// `.sluice/uploads`, to notice when the disk is no longer there.
    private let uploadsFolder: FileStatus
    private let durableFolders = DurableFolders()

    /// Opens the directory, makes the store's own folders where they are missing, and removes what the dead left.
    init(root: String, files: FileSystem, logger: Logger) throws {
        let layout = FileStoreLayout(root: root)
        do {
            _ = try files.openFolder(root)
        } catch {
            guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
            throw StoreError(.noSuchBucket, "The store's directory does not exist.", cause: error)
        }
        let folders = [layout.ownFolder, layout.uploads, layout.metadata, layout.sessions, layout.instances]
        for folder in folders + [layout.staging] {
            do {
                try files.makeFolder(folder)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
        }
        try files.syncFolder(layout.ownFolder)
        try files.syncFolder(root)
        guard let ownFolder = try files.status(layout.ownFolder), let uploadsFolder = try files.status(layout.uploads)
        else { throw StoreError(.noSuchBucket) }
        guard ownFolder.kind == .folder, uploadsFolder.kind == .folder else {
            throw StoreError(.damaged, "The folder .sluice in the store's directory is not one.")
        }

        self.layout = layout
        self.files = files
        self.logger = logger
        self.ownFolder = ownFolder
        self.uploadsFolder = uploadsFolder
        self.instance = try FileStoreInstance.begin(layout, files)
        try instance.removeDeadInstances(layout, files, logger)
        try removeInterruptedCompletions()
    }

    /// Ends this instance. What is still under way fails.
    func close() throws {
        try instance.end(layout, files)
    }

    /// - Throws: `.noSuchBucket` where the directory is not the one that was opened. To be called before anything is
    ///   said to be absent: on a disk that is not mounted, everything is.
    func confirmPresent() throws {
        guard let found = try files.status(layout.uploads), found.isSameFile(as: uploadsFolder) else {
            throw StoreError(.noSuchBucket, "The store's directory is no longer there.")
        }
    }

    /// Looks whether a key goes with the objects that are there.
    ///
    /// - Returns: the object under the key, or `nil` where there is none yet.
    /// - Throws: `.keyUnsupported` where an object is in the way, or the path leads out of the store.
    func checkPlace(_ key: FileStoreKey) throws -> FileStatus? {
        for folder in key.folders {
            guard let status = try files.status("\(layout.root)/\(folder)") else {
                try confirmPresent()
                return nil
            }
            guard status.kind == .folder else {
                throw StoreError(
                    .keyUnsupported, "A directory cannot hold this key beside an object that it goes on from.")
            }
            guard !status.isSameFile(as: ownFolder), status.device == ownFolder.device else {
                throw StoreError(.keyUnsupported, "The key's path leads out of the store.")
            }
        }
        let path = layout.object(key)
        guard let status = try files.status(path) else {
            try confirmPresent()
            return nil
        }
        switch status.kind {
        case .file:
            return status
        case .other:
            throw StoreError(.keyUnsupported, "Something that is not a plain file is in the key's place.")
        case .folder:
            guard !status.isSameFile(as: ownFolder), try !holdsAnything(path) else {
                throw StoreError(.keyUnsupported, "A directory cannot hold this key beside objects that go on from it.")
            }
            return nil
        }
    }

    /// Whether there is anything but empty folders in a folder. A crash can leave those, and they are no obstacle.
    private func holdsAnything(_ path: String) throws -> Bool {
        var holds = false
        try files.list(path) { name in
            let inner = "\(path)/\(name)"
            guard let status = try files.status(inner) else { return true }
            if try status.kind != .folder || holdsAnything(inner) { holds = true }
            return !holds
        }
        return holds
    }

    /// Makes way for a key whose place empty folders have. Where one is no longer empty, what comes next fails.
    private func removeEmptyFolders(_ path: String) throws {
        var names: [String] = []
        try files.list(path) { name in
            names.append(name)
            return true
        }
        for name in names {
            try removeEmptyFolders("\(path)/\(name)")
        }
        try files.removeFolder(path)
    }

    /// Makes the folders that a key needs, and makes sure that their names are durable, whoever made them.
    private func makeFolders(for key: FileStoreKey) throws {
        var parent = layout.root
        for folder in key.folders {
            let path = "\(layout.root)/\(folder)"
            do {
                if try files.status(path) == nil { try files.makeFolder(path) }
            } catch {
                // Another gateway was faster; whether it has synced the name is not known.
                guard error.code == EEXIST else { throw error }
            }
            if let status = try files.status(path), !durableFolders.contains(path, status) {
                try files.syncFolder(parent)
                durableFolders.insert(path, status)
            }
            parent = path
        }
    }
}

/// A file that is complete and synced, on its way to becoming an object.
struct FinishedFile: Sendable {
    /// In staging or in an upload's folder.
    var path: String
    /// After the last sync.
    var status: FileStatus
    /// See `OpenFile.generation`.
    var generation: UInt32
}

extension StoreDirectory {
    /// Makes a finished file the object under a key, in one step, together with what is known of it.
    ///
    /// Order: description, its folder, the key's folders, the object's name, its folder. `FileStore` says what a crash
    /// after each leaves.
    /// - Throws: `.outcomeUnknown` where the object is visible but perhaps not durable. After any other error it is not
    ///   there.
    func publish(
        _ file: FinishedFile, under key: FileStoreKey, metadata: ObjectMetadata, evidence: ObjectEvidence,
        condition: PutCondition
    ) throws {
        let description = ObjectDescription(
            key: key, status: file.status, generation: file.generation, metadata: metadata, evidence: evidence)
        let descriptionPath = layout.objectDescription(of: key, inode: file.status.inode)
        let replaced: FileStatus?
        do {
            try write(description, to: descriptionPath, folder: layout.descriptionFolder(of: key))
            replaced = try place(file, under: key, condition: condition)
        } catch {
            if (error as? StoreError)?.reason != .outcomeUnknown { discard(descriptionPath) }
            throw error
        }
        do {
            try syncParent(of: key)
        } catch {
            throw StoreError(.outcomeUnknown, "The object is there but may not survive a power cut.", cause: error)
        }
        if condition == .ifAbsent { discard(file.path) }
        if let replaced, !replaced.isSameFile(as: file.status) {
            discard(layout.objectDescription(of: key, inode: replaced.inode))
        }
    }

    private func write(_ description: ObjectDescription, to path: String, folder: String) throws {
        if try files.status(folder) == nil {
            do {
                try files.makeFolder(folder)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            try files.syncFolder(layout.metadata)
        }
        // If there is one of this name, it spoke of a file that is gone: its inode number is ours now.
        let file = try files.createOrEmpty(path)
        try encodedJSON(description).withUnsafeBytes { try file.write($0, at: 0) }
        try file.sync()
        try files.syncFolder(folder)
    }

    /// - Returns: what the key held before, where it is known.
    private func place(_ file: FinishedFile, under key: FileStoreKey, condition: PutCondition) throws -> FileStatus? {
        let path = layout.object(key)
        for attempt in 1... {
            do {
                try makeFolders(for: key)
                let replaced = try checkPlace(key)
                if replaced == nil, try files.status(path)?.kind == .folder { try removeEmptyFolders(path) }
                if condition == .ifAbsent {
                    try files.link(file.path, to: path)
                } else {
                    try files.rename(file.path, to: path)
                }
                return replaced
            } catch let error as FileError {
                if try isPlaced(file, at: path, after: error) { return nil }
                if error.call.operation == .link, [EPERM, EOPNOTSUPP, ENOSYS].contains(error.code) {
                    throw StoreError(
                        .unsupported, "The file system cannot store an object only if absent.", cause: error)
                }
                if error.code == EEXIST, try checkPlace(key) != nil { throw StoreError(.alreadyExists, cause: error) }
                // Another gateway may have removed an empty folder that was in its way, or put one in ours.
                guard [ENOENT, EEXIST, ENOTEMPTY, EISDIR].contains(error.code), attempt < Self.placingsMax,
                    try files.status(file.path) != nil
                else { throw error }
            }
        }
        throw StoreError(.unavailable)
    }

    private static let placingsMax = 10

    /// A network file system may do what it then reports as failed.
    private func isPlaced(_ file: FinishedFile, at path: String, after error: FileError) throws -> Bool {
        guard error.call.operation == .rename || error.call.operation == .link else { return false }
        do {
            return try files.status(path)?.isSameFile(as: file.status) ?? false
        } catch {
            throw StoreError(.outcomeUnknown, cause: error)
        }
    }

    /// Makes an object's name durable.
    func syncParent(of key: FileStoreKey) throws(FileError) {
        try files.syncFolder(key.folders.last.map { "\(layout.root)/\($0)" } ?? layout.root)
    }

    /// The object under a key and what is known of it. What it says is durable.
    func summary(of key: FileStoreKey) throws -> (summary: ObjectSummary, file: OpenObject)? {
        guard try checkPlace(key) != nil else { return nil }
        // Another gateway may have ended between giving the object its name and syncing it.
        try syncParent(of: key)
        let file: OpenFile
        do {
            file = try files.open(layout.object(key))
        } catch {
            guard error.code == ENOENT else { throw error }
            try confirmPresent()
            return nil
        }
        let status = try file.status()
        let description = try description(of: key, status: status, generation: file.generation())
        let evidence = description?.evidence ?? .none
        let summary = ObjectSummary(
            size: status.size, etag: evidence.fileStoreETag, version: nil, modified: status.modified,
            metadata: description?.metadata.metadata, evidence: evidence)
        return (summary, OpenObject(file: file))
    }

    /// `nil` where there is none for exactly this file.
    private func description(
        of key: FileStoreKey, status: FileStatus, generation: UInt32
    ) throws -> ObjectDescription? {
        let bytes: [UInt8]
        do {
            let file = try files.open(layout.objectDescription(of: key, inode: status.inode))
            bytes = try file.read(Self.descriptionBytesMax, at: 0)
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
        guard let description: ObjectDescription = decodedJSON(bytes),
            description.describes(status, generation: generation), isSame(description.key, key.text)
        else { return nil }
        return description
    }

    /// A key of `PATH_MAX` bytes, each escaped, and the rest.
    static let descriptionBytesMax = 1 << 15

    /// Removes a file that is of no use any more. Where that fails, it takes up space and does no other harm.
    func discard(_ path: String) {
        do {
            try files.removeFile(path)
        } catch {
            guard error.code != ENOENT else { return }
            logger.warning("Could not remove a file from the store", metadata: ["error.code": "\(error.code)"])
        }
    }
}

/// An object opened for reading. Keeps its bytes even when the key is replaced.
final class OpenObject: Sendable {
    private let file: OpenFile

    init(file: consuming OpenFile) {
        self.file = file
    }

    /// Up to `count` bytes; none only at the end.
    func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
        try file.read(count, at: offset)
    }
}

/// Folders whose names are known to be durable, so that not every object syncs all the folders above it.
///
/// A folder is known by its inode too: one that was removed and made again is another.
private final class DurableFolders: Sendable {
    private static let countMax = 4096
    private let inodes = Mutex<[String: UInt64]>([:])

    /// This very folder has been made durable by this store.
    func contains(_ path: String, _ status: FileStatus) -> Bool {
        inodes.withLock { $0[path] == status.inode }
    }

    /// Forgets the others when there are too many: they are then synced once more.
    func insert(_ path: String, _ status: FileStatus) {
        inodes.withLock { inodes in
            if inodes.count >= Self.countMax { inodes.removeAll() }
            inodes[path] = status.inode
        }
    }
}
