import Logging
import Synchronization
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// One life of a FileStore: a staging folder of its own, and a locked file that proves to others that it lives.
///
/// The kernel releases the lock when the process ends, however it ends; no time is involved, so neither a stopped
/// process nor a wrong clock makes a live instance look dead. Order: the lock's file is durable before the staging
/// folder exists, and the staging folder is gone before the lock's file goes. So staging without a lock's file is
/// nobody's doing here, and is left alone.
final class FileStoreInstance: Sendable {
    let id: String
    /// Where this instance makes its files. On the store's file system, so that renaming them is enough.
    let staging: String

    private let lock: OpenFile
    private let nextNumber = Atomic<UInt64>(0)

    private init(id: String, staging: String, lock: consuming OpenFile) {
        self.id = id
        self.staging = staging
        self.lock = lock
    }

    /// A path in the staging folder that nothing has yet.
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
            // Between making the file and locking it, another gateway that just starts may take it for a dead one's.
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

    /// Each failure needs another gateway to start in the same few microseconds.
    private static let beginningsMax = 100

    /// Removes what this instance has in staging, and its lock's file. Only when nothing of it is under way.
    func end(_ layout: FileStoreLayout, _ files: FileSystem) throws {
        try files.removeTree(staging)
        try files.removeFile("\(layout.instances)/\(id)")
    }

    /// Removes what dead instances left in staging: those whose lock can be had.
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
                    "Removed what a gateway that ended had in staging", metadata: ["store.instance": "\(other)"])
            } catch let error as FileError where error.code == ENOENT {
                continue  // Another gateway was faster.
            }
        }
    }
}

extension FileSystem {
    /// Removes a folder and what is in it. Nothing there is no error; neither is somebody else removing it meanwhile.
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
            } catch let error as FileError where error.code == ENOENT && error.call.path == path {
                return
            } catch let error as FileError where error.code == ENOTEMPTY {
                continue  // Something was put there after the listing.
            }
        }
        throw StoreError(.unavailable, "A folder that is to be removed keeps being filled.")
    }

    /// A folder loses its place before it is removed, so at most a few late files can still get into it.
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
