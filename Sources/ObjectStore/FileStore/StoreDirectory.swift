import Logging
import Synchronization
import SystemSupport
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The steps that a FileStore takes on its directory. All of them block; `FileStore` runs them on its threads.
///
/// A step throws `StoreError` if it knows what a failure means, and `FileError` if the general rule applies
/// (`StoreError.init(_: FileError)`).
struct StoreDirectory: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let instance: FileStoreInstance
    let identity: StoreIdentity
    let logger: Logger

    /// The status of the store's directory, to detect that its path leads to another one, such as an empty mount
    /// point.
    let root: FileStatus
    /// The status of `.sluice`, to recognise it under another name on a file system that treats several names as
    /// equal.
    let ownFolder: FileStatus
    /// The status of `.sluice/uploads`, to detect that the disk was unmounted.
    private let uploadsFolder: FileStatus
    /// How to open the folders of keys. The store tests this once; a later failure of `openat2` is an error.
    let walk: FolderWalk
    let durableFolders = DurableFolders()

    /// Opens the directory, makes the store's own folders if missing, and removes the staging of dead instances.
    ///
    /// - Throws: `.unsupported` with a sentence if a store in this directory could lose or mix up objects
    ///   (`FileSystemRules`).
    init(root path: String, files: FileSystem, logger: Logger) throws {
        let layout = FileStoreLayout(root: path)
        let root: FileStatus
        let walk: FolderWalk
        do {
            let file = try files.openFolder(path)
            root = try file.status()
            walk = try FolderWalk(supportedIn: file)
            try FileSystemRules.check(OpenFolder(file, walk: walk), device: root.device, files)
        } catch let error as FileError where error.code == ENOENT || error.code == ENOTDIR {
            throw StoreError(.noSuchBucket, "The store's directory does not exist.", cause: error)
        }
        let ownFolders = [layout.uploads, layout.metadata, layout.sessions, layout.instances, layout.staging]
        for folder in [layout.ownFolder] + ownFolders {
            do {
                try files.makeFolder(folder)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            guard try files.status(folder)?.kind == .folder else {
                throw StoreError(
                    .damaged, "The folder .sluice in the store's directory, or one in it, is not a folder.")
            }
        }
        try files.syncFolder(layout.ownFolder)
        try files.syncFolder(path)
        guard let ownFolder = try files.status(layout.ownFolder), let uploadsFolder = try files.status(layout.uploads)
        else { throw StoreError(.noSuchBucket) }

        self.layout = layout
        self.files = files
        self.logger = logger
        self.root = root
        self.ownFolder = ownFolder
        self.uploadsFolder = uploadsFolder
        self.walk = walk
        self.instance = try FileStoreInstance.begin(layout, files)
        do {
            try FileSystemRules.checkNames(in: instance.staging, files)
            self.identity = try FileStoreIdentity.readOrMake(layout, instance, files)
        } catch {
            try instance.end(layout, files)
            throw error
        }
        try instance.removeDeadInstances(layout, files, logger)
        try removeInterruptedCompletions()
    }

    /// Ends this instance. Running calls fail.
    func close() throws {
        try instance.end(layout, files)
    }

    /// Call this before reporting an object or upload as absent.
    ///
    /// - Throws: `.noSuchBucket` if the path no longer leads to the directory that was opened: in an unmounted disk's
    ///   mount point every object would seem absent.
    func confirmPresent() throws {
        guard let found = try files.status(layout.uploads), found.isSameFile(as: uploadsFolder) else {
            throw StoreError(.noSuchBucket, Self.directoryIsGone)
        }
    }
}

extension StoreDirectory {
    /// The object under a key and its summary, both durable.
    func summary(of key: FileStoreKey) throws -> (summary: ObjectSummary, file: OpenObject)? {
        guard let parent = try openParent(of: key) else { return nil }
        guard try checkPlace(key, in: parent) != nil else { return nil }
        // Another gateway may have ended before it synced the object's name.
        try parent.sync()
        return try summary(of: key, in: parent)
    }

    /// The current object, which may not be durable yet.
    func summary(
        of key: FileStoreKey, in parent: borrowing OpenFolder
    ) throws -> (summary: ObjectSummary, file: OpenObject)? {
        let file: OpenFile
        do {
            file = try parent.openFile(key.name)
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
        let status = try file.status()
        // The entry was a plain file at the check before.
        guard status.kind == .file else { throw StoreError(.keyUnsupported, Self.notAFile) }
        let generation = file.generation()
        let description = try description(of: key, status: status, generation: generation)
        let evidence = description?.evidence ?? .none
        // FileStore computes each digest itself while it writes, before a description names the file. The description
        // matches exactly this file, so the evidence counts as checked.
        let summary = ObjectSummary(
            size: status.size, etag: evidence.fileStoreETag ?? status.fileStoreETag(generation: generation),
            version: nil, modified: status.modified, metadata: description?.metadata.metadata, evidence: evidence,
            isEvidenceChecked: evidence != .none)
        return (summary, OpenObject(file: file))
    }

    static let directoryIsGone = "The store's directory no longer exists."
    static let notAFile = "The key's path exists and is not a regular file."

    /// Returns `nil` if there is no description of exactly this file.
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
            description.describes(status, generation: generation), description.key.hasSameBytes(as: key.text)
        else { return nil }
        return description
    }

    /// Room for a key of `PATH_MAX` bytes, each escaped, and the other fields.
    static let descriptionBytesMax = 1 << 15

    /// Removes a useless file. If that fails, the file only takes up space.
    func discard(_ path: String) {
        do {
            try files.removeFile(path)
        } catch {
            guard let code = error.code, code != ENOENT else { return }
            logger.warning("Could not remove a file from the store", metadata: ["error.code": "\(code)"])
        }
    }
}

/// An object opened for reading. Replacing the key does not change its bytes.
final class OpenObject: Sendable {
    private let file: OpenFile

    init(file: consuming OpenFile) {
        self.file = file
    }

    /// Reads up to `count` bytes at a byte offset; returns none only at the end.
    func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
        try file.read(count, at: offset)
    }
}
