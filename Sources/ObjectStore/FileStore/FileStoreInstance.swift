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

/// One running FileStore. It has its own staging folder, and a locked file that shows other gateways that it is
/// running.
///
/// The kernel releases the lock when the process ends, even if it crashes. No time limit is involved, so a process that
/// is stopped for long, or a wrong clock, does not make a running instance look dead. An instance makes its lock file
/// durable before it creates its staging folder, and removes the staging folder before the lock file. Every staging
/// folder of an instance therefore has a lock file. A FileStore does not remove a folder without a lock file, because
/// no FileStore made it.
final class FileStoreInstance: Sendable {
    let id: String
    /// Folder in which this instance creates files. It is on the store's file system, so a file can get its final name
    /// by a rename.
    let staging: String

    private let lock: OpenFile
    private let nextNumber = Atomic<UInt64>(0)

    private init(id: String, staging: String, lock: consuming OpenFile) {
        self.id = id
        self.staging = staging
        self.lock = lock
    }

    /// A new path in the staging folder.
    func makeStagingPath() -> String {
        "\(staging)/\(nextNumber.wrappingAdd(1, ordering: .relaxed).newValue)"
    }

    /// Begins a new instance. The folders below `.sluice` must exist.
    static func begin(_ layout: FileStoreLayout, _ files: FileSystem) throws -> FileStoreInstance {
        var generator = SystemRandomNumberGenerator()
        for _ in 1...beginningsMax {
            let id = String(describing: SessionID.random(using: &generator))
            let path = "\(layout.instances)/\(id)"
            var file = try files.createStoreFile(path)
            // Before this file is locked, another gateway that is starting may conclude that the file belongs to a dead
            // instance and remove it. If that has happened, try again with a new file.
            guard try file.lock(), let named = try files.status(path), named.isSameFile(as: try file.status()) else {
                continue
            }
            try files.syncFolder(layout.instances)
            let staging = "\(layout.staging)/\(id)"
            try files.makeStoreFolder(staging)
            return FileStoreInstance(id: id, staging: staging, lock: file)
        }
        throw StoreError(.unavailable, "Other gateways keep removing this one's lock.")
    }

    /// Maximum number of attempts. An attempt fails only if another gateway starts in the same microseconds.
    private static let beginningsMax = 100

    /// Removes this instance's staging folder and lock file. Call this only after all work of the instance has ended.
    func end(_ layout: FileStoreLayout, _ files: FileSystem) throws {
        try files.removeTree(staging)
        try files.removeFile("\(layout.instances)/\(id)")
    }

    /// Removes the staging folders of dead instances, which are those whose lock is free.
    func removeDeadInstances(_ layout: FileStoreLayout, _ files: FileSystem, _ logger: Logger) throws {
        var others: [String] = []
        try files.list(layout.instances) { name in
            if name != id { others.append(name) }
            return true
        }
        for other in others {
            do {
                let path = "\(layout.instances)/\(other)"
                var file = try files.open(path)
                guard try file.lock() else { continue }
                try files.removeTree("\(layout.staging)/\(other)")
                try files.removeFile(path)
                logger.info(
                    "Removed the staging files of a gateway that has ended", metadata: ["store.instance": "\(other)"])
            } catch let error as FileError where error.code == ENOENT {
                continue  // Another gateway has removed the folder first.
            } catch let error as FileError where error.code == EACCES || error.code == EPERM {
                // A command that root has run has left this folder, and this user may not remove it. The folder does no
                // harm: root's next command removes it.
                logger.notice(
                    "Could not remove the staging files of a program that has ended",
                    metadata: ["store.instance": "\(other)", "error": "\(error)"])
            }
        }
    }
}

extension FileSystem {
    /// Removes a file that nothing needs any more. A failure is only logged, because the file does no harm except that
    /// it takes up space.
    func discard(_ path: String, _ logger: Logger) {
        do {
            try removeFile(path)
        } catch {
            guard error.code != ENOENT else { return }
            logger.warning(
                "Could not remove a file from the store; it takes up space", metadata: ["error": "\(error)"])
        }
    }

    /// Removes a folder and its content. It is no error if the folder is missing or another process removes it at the
    /// same time.
    func removeTree(_ path: String) throws {
        for _ in 1...Self.removalsMax {
            var names: [String] = []
            do {
                try list(path) { name in
                    names.append(name)
                    return true
                }
                for name in names {
                    try removeFileOrTree("\(path)/\(name)")
                }
                try removeFolder(path)
                return
            } catch let error as FileError where error.code == ENOENT && error.path == path {
                return
            } catch let error as FileError where error.code == ENOTEMPTY {
                continue  // Another process has added a file since the listing.
            }
        }
        throw StoreError(.unavailable, "A folder cannot be removed: new files keep appearing in it.")
    }

    /// Maximum number of attempts. Folders are moved to staging before they are removed, so other processes can add
    /// only few files to them.
    private static let removalsMax = 100

    private func removeFileOrTree(_ path: String) throws {
        do {
            try removeFile(path)
        } catch {
            if error.code == ENOENT { return }
            guard error.code == EISDIR else { throw error }
            try removeTree(path)
        }
    }
}
