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

/// One FileStore from its opening to its end. It has a staging folder of its own, and a locked file that shows other
/// gateways that it still runs.
///
/// The kernel releases the lock when the process ends, in whatever way. The lock does not depend on time, so a live
/// instance does not look dead because its process is suspended or a clock is wrong. The lock file is durable before
/// the staging folder exists, and the staging folder is gone before the lock file is removed. So no FileStore ever
/// leaves a staging folder without a lock file. A folder without one belongs to another program, and no FileStore
/// removes it.
final class FileStoreInstance: Sendable {
    let id: String
    /// Folder in which this instance creates files. It lies on the store's file system, so a rename moves a file into
    /// place.
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

    /// Begins a new instance in a store's directory whose own folders exist.
    static func begin(_ layout: FileStoreLayout, _ files: FileSystem) throws -> FileStoreInstance {
        var generator = SystemRandomNumberGenerator()
        for _ in 1...beginningsMax {
            let id = String(describing: SessionID.random(using: &generator))
            let path = "\(layout.instances)/\(id)"
            var file = try files.create(path)
            // Before this file is locked, another gateway that is starting may regard it as the file of a dead instance
            // and remove it. So check that the locked file still has its name.
            guard try file.lock(), let named = try files.status(path), named.isSameFile(as: try file.status()) else {
                continue
            }
            try files.syncFolder(layout.instances)
            let staging = "\(layout.staging)/\(id)"
            try files.makeFolder(staging)
            return FileStoreInstance(id: id, staging: staging, lock: file)
        }
        throw StoreError(.unavailable, "Other gateways keep removing this one's lock.")
    }

    /// Most attempts. An attempt fails only if another gateway starts in the same microseconds.
    private static let beginningsMax = 100

    /// Removes this instance's staging folder and lock file. Call it only after all its work has ended.
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
                continue  // Another gateway was faster.
            }
        }
    }
}

extension FileSystem {
    /// Removes a useless file. If that fails, the file only takes up space.
    func discard(_ path: String, _ logger: Logger) {
        do {
            try removeFile(path)
        } catch {
            guard let code = error.code, code != ENOENT else { return }
            logger.warning("Could not remove a file from the store", metadata: ["error.code": "\(code)"])
        }
    }

    /// Removes a folder and its content. A missing folder is no error, nor is another process that removes it
    /// meanwhile.
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
                continue  // A file was added after the listing.
            }
        }
        throw StoreError(.unavailable, "A folder cannot be removed: new files keep appearing in it.")
    }

    /// Most attempts. A folder is renamed away before it is removed, so only a few late files can still be added to
    /// it.
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
