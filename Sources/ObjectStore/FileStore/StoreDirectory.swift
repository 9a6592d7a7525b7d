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
/// All its methods block, so `FileStore` runs them on its threads. A method throws `StoreError` if it knows the meaning
/// of a failure. Otherwise it throws `FileError`, which is translated by the general rule (`StoreError.init(_:
/// FileError)`).
struct StoreDirectory: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let instance: FileStoreInstance
    let identity: StoreIdentity
    let logger: Logger

    let objects: ObjectFiles
    let uploads: UploadFolders
    let records: RecordFiles

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

    /// Ends this instance. Running calls fail.
    func close() throws {
        try instance.end(layout, files)
    }

    /// The clock that dates files: on a network file system it is the server's.
    func currentTime() throws -> Date {
        let path = instance.makeStagingPath()
        let file = try files.create(path)
        defer { files.discard(path, logger) }
        try file.touch()
        return try file.status().modified
    }
}
