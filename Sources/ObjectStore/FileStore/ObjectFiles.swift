import Logging
import SystemSupport
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A complete and synced file that is about to become an object.
struct FinishedFile: Sendable {
    /// Path in staging or in an upload's folder.
    var path: String
    /// Status after the last sync.
    var status: FileStatus
    /// See `OpenFile.generation`.
    var generation: UInt32
}

/// The objects of a store: a file each under its key, and a description of that file.
struct ObjectFiles: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let folders: KeyFolders
    let logger: Logger

    /// The object under a key and its summary, both durable.
    func summary(of key: FileStoreKey) throws -> (summary: ObjectSummary, file: OpenObject)? {
        guard let parent = try folders.openParent(of: key) else { return nil }
        guard try folders.check(key, in: parent) != nil else { return nil }
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
        guard status.kind == .file else { throw StoreError(.keyUnsupported, KeyFolders.notAFile) }
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

    /// Returns `nil` if there is no description of exactly this file.
    private func description(
        of key: FileStoreKey, status: FileStatus, generation: UInt32
    ) throws -> ObjectDescription? {
        let bytes: [UInt8]
        do {
            let file = try files.open(layout.objectDescription(of: key, inode: status.inode))
            bytes = try file.read(FileStoreLayout.descriptionBytesMax, at: 0)
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
        guard let description: ObjectDescription = decodedJSON(bytes),
            description.describes(status, generation: generation), description.key.hasSameBytes(as: key.text)
        else { return nil }
        return description
    }

    /// Makes a finished file the object under a key in one step, with its description.
    ///
    /// Order: description, its folder, the key's folders, the object's name, its folder. The tables of `FileStore`
    /// list what a crash after each step leaves behind.
    /// - Throws: `.alreadyExists` or `.preconditionGone` if the condition does not hold; `.outcomeUnknown` if the
    ///   object is visible but perhaps not durable. After any other error the object has not appeared.
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
            if (error as? StoreError)?.reason != .outcomeUnknown { files.discard(descriptionPath, logger) }
            throw error
        }
        do {
            try placed.parent.sync()
        } catch {
            throw StoreError(.outcomeUnknown, "The object is stored but may not survive a power cut.", cause: error)
        }
        if placed.hasOldName { files.discard(file.path, logger) }
        if let inode = placed.replaced?.inode, inode != file.status.inode {
            files.discard(layout.objectDescription(of: key, inode: inode), logger)
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
        // An existing description of this name is void: its file is gone, and this file has reused the inode number.
        let file = try files.createOrEmpty(path)
        try file.write(encodedJSON(description), at: 0)
        try file.sync()
        try files.syncFolder(folder)
    }

    /// Refuses a write before its bytes arrive, if `publish` would refuse it now. `publish` checks the condition again.
    func check(_ condition: PutCondition, of key: FileStoreKey) throws {
        guard let parent = try folders.openParent(of: key) else {
            if case .ifMatch = condition { throw StoreError(.preconditionGone) }
            return
        }
        try check(condition, of: key, in: parent, holding: folders.check(key, in: parent))
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

    /// Gives a finished file the object's name. Repeats this if another gateway removes a folder that the name needs.
    private func place(
        _ file: FinishedFile, under key: FileStoreKey, _ condition: PutCondition
    ) throws -> PlacedFile {
        for attempt in 1... {
            do {
                return try placeOnce(file, under: key, condition)
            } catch let error as FileError {
                // Another gateway may have removed this key's empty folder, or made a folder at the key.
                guard [ENOENT, EEXIST, ENOTEMPTY, EISDIR].contains(error.code), attempt < KeyFolders.placingsMax,
                    try files.status(file.path) != nil
                else { throw error }
            }
        }
        throw StoreError(.unavailable)
    }

    private func placeOnce(
        _ file: FinishedFile, under key: FileStoreKey, _ condition: PutCondition
    ) throws -> PlacedFile {
        let parent = try folders.makeParent(of: key)
        var lock = try lockName(of: key)
        defer { lock.unlock() }
        let found = try folders.check(key, in: parent)
        try check(condition, of: key, in: parent, holding: found)
        let replaced = found == nil ? nil : ReplacedFile(key.name, in: parent)
        do {
            if found == nil, try parent.status(of: key.name)?.kind == .folder {
                try folders.removeEmptyFolders(key.name, in: parent)
            }
            let hasOldName = try give(key.name, in: parent, to: file, onlyIfAbsent: condition == .ifAbsent)
            return PlacedFile(parent: parent, replaced: replaced, hasOldName: hasOldName)
        } catch let error as FileError {
            if try isPlaced(file, as: key.name, in: parent, after: error) {
                return PlacedFile(parent: parent, replaced: nil, hasOldName: error.call?.operation == .link)
            }
            if error.call?.operation == .link, [EPERM, EOPNOTSUPP, ENOSYS].contains(error.code) {
                throw StoreError(
                    .unsupported, "The file system cannot create a file only if its name is free.", cause: error)
            }
            if error.code == EEXIST, try folders.check(key, in: parent) != nil {
                throw StoreError(.alreadyExists, cause: error)
            }
            throw error
        }
    }

    /// - Returns: whether the file still has its old name, besides the new one.
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
            // The file system or the kernel cannot rename without replacing.
            guard error.code == EINVAL || error.code == ENOSYS else { throw error }
            try parent.link(file.path, as: name)
            return true
        }
    }

    /// Locks a key's name against all gateways on this directory and all threads of this one, so that the compared
    /// object stays in place until it is replaced. Keys with the same description folder share a lock.
    ///
    /// The holder of the lock makes only a few system calls and never syncs. So a long wait means that the holder's
    /// process is suspended.
    private func lockName(of key: FileStoreKey) throws -> OpenFile {
        var folder = try files.openFolder(layout.descriptionFolder(of: key))
        for _ in 1...Self.lockAttemptsMax {
            if try folder.lock() { return folder }
            usleep(Self.lockPauseMicroseconds)
        }
        throw StoreError(.unavailable, "Another gateway has kept this object locked for ten seconds.")
    }

    private static let lockAttemptsMax = 20_000
    private static let lockPauseMicroseconds: UInt32 = 500

    /// Checks whether a call that reported an error has placed the file anyway.
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

/// A file that has its object's name; the name is not durable yet.
private struct PlacedFile: ~Copyable {
    /// The folder that contains the name.
    let parent: OpenFolder
    /// The key's previous object, if known.
    let replaced: ReplacedFile?
    /// Whether the file was linked, so that its name in staging or in the upload's folder remains.
    let hasOldName: Bool
}

/// The replaced object, kept open until its description is removed. When it is closed, its inode number becomes free
/// for a new file, and the description of that file would have the same path.
private final class ReplacedFile: Sendable {
    let inode: UInt64
    private let file: OpenFile

    /// Returns `nil` if the file cannot be opened. Its description then stays and is void.
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
