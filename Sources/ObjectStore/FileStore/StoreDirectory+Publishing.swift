import SystemSupport
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

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
    /// - Throws: `.alreadyExists` or `.preconditionGone` where the condition does not hold; `.outcomeUnknown` where the
    ///   object is visible but perhaps not durable. After any other error it is not there.
    func publish(
        _ file: FinishedFile, under key: FileStoreKey, metadata: ObjectMetadata, evidence: ObjectEvidence,
        condition: PutCondition
    ) throws {
        let description = ObjectDescription(
            key: key, status: file.status, generation: file.generation, metadata: metadata, evidence: evidence)
        let descriptionPath = layout.objectDescription(of: key, inode: file.status.inode)
        let placed: PlacedFile
        do {
            try write(description, to: descriptionPath, folder: layout.descriptionFolder(of: key))
            placed = try place(file, under: key, condition)
        } catch {
            if (error as? StoreError)?.reason != .outcomeUnknown { discard(descriptionPath) }
            throw error
        }
        do {
            try placed.parent.sync()
        } catch {
            throw StoreError(.outcomeUnknown, "The object is there but may not survive a power cut.", cause: error)
        }
        if placed.hasOldName { discard(file.path) }
        if let inode = placed.replaced?.inode, inode != file.status.inode {
            discard(layout.objectDescription(of: key, inode: inode))
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
        try file.write(encodedJSON(description), at: 0)
        try file.sync()
        try files.syncFolder(folder)
    }

    /// Refuses what could not be published anyhow, before its bytes come. The condition is looked at again when the
    /// object gets its name.
    func check(_ condition: PutCondition, of key: FileStoreKey) throws {
        guard let parent = try openParent(of: key) else {
            if case .ifMatch = condition { throw StoreError(.preconditionGone) }
            return
        }
        try check(condition, of: key, in: parent, holding: checkPlace(key, in: parent))
    }

    private func check(
        _ condition: PutCondition, of key: FileStoreKey, in parent: borrowing OpenFolder, holding found: FileStatus?
    ) throws {
        switch condition {
        case .none:
            return
        case .ifAbsent:
            guard found == nil else { throw StoreError(.alreadyExists) }
        case .ifMatch(let etag):
            guard found != nil, let summary = try summary(of: key, in: parent)?.summary else {
                throw StoreError(.preconditionGone)
            }
            guard summary.etag?.hasSameBytes(as: etag) ?? false else { throw StoreError(.alreadyExists) }
        }
    }

    /// Gives a finished file the object's name, again as long as others remove the folders that it needs.
    private func place(
        _ file: FinishedFile, under key: FileStoreKey, _ condition: PutCondition
    ) throws -> PlacedFile {
        for attempt in 1... {
            do {
                return try placeOnce(file, under: key, condition)
            } catch let error as FileError {
                // Another gateway may have removed an empty folder that was in its way, or put one in ours.
                guard [ENOENT, EEXIST, ENOTEMPTY, EISDIR].contains(error.code), attempt < Self.placingsMax,
                    try files.status(file.path) != nil
                else { throw error }
            }
        }
        throw StoreError(.unavailable)
    }

    static let placingsMax = 10

    private func placeOnce(
        _ file: FinishedFile, under key: FileStoreKey, _ condition: PutCondition
    ) throws -> PlacedFile {
        let parent = try makeParent(of: key)
        var lock = try lockName(of: key)
        defer { lock.unlock() }
        let found = try checkPlace(key, in: parent)
        try check(condition, of: key, in: parent, holding: found)
        let replaced = found == nil ? nil : ReplacedFile(key.name, in: parent)
        do {
            if found == nil, try parent.status(of: key.name)?.kind == .folder {
                try removeEmptyFolders(key.name, in: parent)
            }
            let hasOldName = try give(key.name, in: parent, to: file, onlyIfAbsent: condition == .ifAbsent)
            return PlacedFile(parent: parent, replaced: replaced, hasOldName: hasOldName)
        } catch let error as FileError {
            if try isPlaced(file, as: key.name, in: parent, after: error) {
                return PlacedFile(parent: parent, replaced: nil, hasOldName: error.call?.operation == .link)
            }
            if error.call?.operation == .link, [EPERM, EOPNOTSUPP, ENOSYS].contains(error.code) {
                throw StoreError(.unsupported, "The file system cannot store an object only if absent.", cause: error)
            }
            if error.code == EEXIST, try checkPlace(key, in: parent) != nil {
                throw StoreError(.alreadyExists, cause: error)
            }
            throw error
        }
    }

    /// - Returns: whether the file still has its old name too.
    private func give(
        _ name: String, in parent: borrowing OpenFolder, to file: FinishedFile, onlyIfAbsent: Bool
    ) throws(FileError) -> Bool {
        guard onlyIfAbsent else {
            try parent.take(file.path, as: name)
            return false
        }
        do {
            try parent.takeIfAbsent(file.path, as: name)
            return false
        } catch {
            // The file system, or the kernel, cannot do it in one step.
            guard error.code == EINVAL || error.code == ENOSYS else { throw error }
            try parent.link(file.path, as: name)
            return true
        }
    }

    /// Keeps all gateways on this directory, and all threads of this one, from giving the key's name to another file
    /// while what has it is being compared. As few keys share the lock as share a folder of descriptions.
    ///
    /// It is held for some system calls and never for a sync. So whoever waits longer waits for a process that has been
    /// stopped.
    private func lockName(of key: FileStoreKey) throws -> OpenFile {
        var folder = try files.openFolder(layout.descriptionFolder(of: key))
        for _ in 1...Self.lockAttemptsMax {
            if try folder.lock() { return folder }
            usleep(Self.lockPauseMicroseconds)
        }
        throw StoreError(.unavailable, "Another gateway has kept the place of this object locked for ten seconds.")
    }

    private static let lockAttemptsMax = 20_000
    private static let lockPauseMicroseconds: UInt32 = 500

    /// A file system may do what it then reports as failed.
    private func isPlaced(
        _ file: FinishedFile, as name: String, in parent: borrowing OpenFolder, after error: FileError
    ) throws -> Bool {
        guard [.rename, .renameIfAbsent, .link].contains(error.call?.operation) else { return false }
        do {
            return try parent.status(of: name)?.isSameFile(as: file.status) ?? false
        } catch {
            throw StoreError(.outcomeUnknown, cause: error)
        }
    }
}

/// A file that has its object's name, which is not durable yet.
private struct PlacedFile: ~Copyable {
    /// The folder that the name lies in.
    let parent: OpenFolder
    /// What the key held before, where it is known.
    let replaced: ReplacedFile?
    /// It was linked, and its name in staging or in the upload's folder is left.
    let hasOldName: Bool
}

/// A file whose name another file gets, open until its description has been removed. Once it is closed its inode number
/// is free for the next file, whose description would have the same name.
private final class ReplacedFile: Sendable {
    let inode: UInt64
    private let file: OpenFile

    /// `nil` where it cannot be opened. Its description stays then, and is void.
    init?(_ name: String, in parent: borrowing OpenFolder) {
        do {
            let file = try parent.openFile(name)
            self.inode = try file.status().inode
            self.file = file
        } catch {
            return nil
        }
    }
}
