import FoundationEssentials
import Logging
import SystemSupport
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The opened directory of a FileStore: its objects, uploads and records.
///
/// All methods of this type and of its properties block, so `FileStore` runs them on its threads. A method throws
/// `StoreError` if it knows what a failure means for the store, and otherwise `FileError`, which
/// `StoreError.init(_: FileError)` translates.
struct StoreDirectory: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let instance: FileStoreInstance
    let identity: StoreIdentity
    let logger: Logger

    let objects: ObjectFiles
    let uploads: UploadFolders
    let records: RecordFiles

    /// Opens the directory, makes the folders below `.sluice` if they are missing, and removes the staged files of
    /// instances that have ended.
    ///
    /// - Throws: `.unsupported`, with a sentence, if a store in this directory could lose objects or confuse keys
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
        } catch let error as FileError where error.code == ENOENT {
            throw StoreError(.bucketMissing, "The store's directory does not exist.", cause: error)
        } catch let error as FileError where error.code == ENOTDIR {
            throw StoreError(.unsupported, Self.sentence(aboutNoDirectory: path, files), cause: error)
        }
        let ownFolders = [layout.uploads, layout.metadata, layout.sessions, layout.instances, layout.staging]
        for folder in [layout.ownFolder] + ownFolders {
            do {
                try files.makeStoreFolder(folder)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            guard try files.status(folder)?.kind == .folder else {
                throw StoreError(
                    .damaged, "The folder .sluice in the store's directory, or one in it, is not a folder.")
            }
        }
        // `.sluice` may have been made by hand or with other permissions, so take the permissions of other users away.
        try OwnFolder.closeToOthers(layout.ownFolder, files)
        try files.syncFolder(layout.ownFolder)
        try files.syncFolder(path)
        guard let ownFolder = try files.status(layout.ownFolder), let uploadsFolder = try files.status(layout.uploads)
        else { throw StoreError(.bucketMissing) }

        self.layout = layout
        self.files = files
        self.logger = logger
        self.instance = try FileStoreInstance.begin(layout, files)
        let presence = StorePresence(layout: layout, files: files, uploadsFolder: uploadsFolder)
        let folders = KeyFolders(layout: layout, files: files, root: root, ownFolder: ownFolder, walk: walk)
        self.objects = ObjectFiles(layout: layout, files: files, folders: folders, logger: logger)
        self.uploads = UploadFolders(
            layout: layout, files: files, instance: instance, presence: presence, folders: folders, logger: logger)
        self.records = RecordFiles(
            layout: layout, files: files, instance: instance, presence: presence, logger: logger)
        do {
            try FileSystemRules.checkNames(in: instance.staging, files)
            self.identity = try FileStoreIdentity.readOrMake(layout, instance, files)
        } catch {
            try instance.end(layout, files)
            throw error
        }
        try instance.removeDeadInstances(layout, files, logger)
        try uploads.removeInterruptedCompletions()
    }

    private static func sentence(aboutNoDirectory path: String, _ files: FileSystem) -> String {
        what(standsAt: path, files) + ". Name a directory with --store."
    }

    private static func what(standsAt path: String, _ files: FileSystem) -> String {
        do throws(FileError) {
            guard let status = try files.status(path) else {
                return "A part of the store's path is a file, not a directory"
            }
            if status.kind == .file { return "The store's path leads to a file, not to a directory" }
        } catch {
            // The path cannot be examined either. The sentence below is about its last part, which is likely.
        }
        return "The store's path leads to a device, pipe or socket, not to a directory"
    }

    /// Ends this instance. Running calls fail.
    func close() throws {
        try instance.end(layout, files)
    }

    /// The time of the clock from which files get their modification times. On a network file system this is the
    /// server's clock.
    func currentTime() throws -> Date {
        let path = instance.makeStagingPath()
        let file = try files.createStoreFile(path)
        defer { files.discard(path, logger) }
        try file.touch()
        return try file.status().modified
    }
}
