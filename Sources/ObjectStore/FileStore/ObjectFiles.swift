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
    /// Path of the file, in staging or in an upload's folder.
    var path: String
    /// Status of the file, read after its last sync.
    var status: FileStatus
    /// The generation of the file's inode (`OpenFile.generation`).
    var generation: UInt32
}

/// The objects of a store. Each has a file under its key, and a description of that file below `.sluice`.
struct ObjectFiles: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let folders: KeyFolders
    let logger: Logger

    /// The object under a key and its summary. Syncs the folder first, so that the object survives a power cut.
    func summary(of key: FileStoreKey) throws -> (summary: ObjectSummary, file: OpenObject)? {
        guard let parent = try folders.openParent(of: key) else { return nil }
        guard try folders.check(key, in: parent) != nil else { return nil }
        // Another gateway may have given the object its name and ended before it synced the folder.
        try parent.sync()
        return try summary(of: key, in: parent)
    }

    /// The object that has the key's name now. The name may not be durable yet.
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
        // The check before this one found a plain file. Another program has replaced the file since.
        guard status.kind == .file else { throw StoreError(.keyUnsupported, KeyFolders.notAFile) }
        let generation = file.generation()
        let description = try description(of: key, status: status, generation: generation)
        let content = description?.content
        let evidence = content?.evidence ?? .none
        // The description matches exactly this file, and FileStore computed its digest itself while it wrote the file.
        // The evidence therefore counts as verified.
        let summary = ObjectSummary(
            size: status.size, partBytes: evidence.dependsOnPartBytes ? description?.metadata.partBytes ?? 0 : 0,
            evidence: evidence, etag: content?.etag ?? status.fileStoreETag(generation: generation), version: "",
            metadata: description?.metadata.metadata, isVerified: content != nil)
        return (summary, OpenObject(file: file))
    }

    private func description(
        of key: FileStoreKey, status: FileStatus, generation: UInt32
    ) throws -> ObjectDescription? {
        let description = try description(at: layout.objectDescription(of: key, inode: status.inode), of: key)
        return description.flatMap { $0.describes(status, generation: generation) ? $0 : nil }
    }

    private func description(at path: String, of key: FileStoreKey) throws -> ObjectDescription? {
        let bytes: [UInt8]
        do {
            bytes = try files.open(path).read(FileStoreLayout.descriptionBytesMax, at: 0)
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
        guard let description: ObjectDescription = decodedJSON(bytes), description.key.hasSameBytes(as: key.text)
        else { return nil }
        return description
    }

    /// What the descriptions of the key's objects say about their content, also those that describe no file any more:
    /// another program has changed the file or put another one in its place.
    func recordedContents(of key: FileStoreKey) throws -> [RecordedContent] {
        let folder = layout.descriptionFolder(of: key)
        guard try files.status(folder) != nil else { return [] }
        let prefix = FileStoreLayout.descriptionPrefix(of: key)
        var names: [String] = []
        try files.list(folder) { name in
            if name.utf8.starts(with: prefix.utf8) { names.append(name) }
            return true
        }
        return try names.sorted().compactMap { name in
            guard let description = try description(at: "\(folder)/\(name)", of: key),
                let evidence = description.content?.evidence
            else { return nil }
            return RecordedContent(
                evidence: evidence, partBytes: evidence.dependsOnPartBytes ? description.metadata.partBytes : 0)
        }
    }

    /// Writes the description of a finished file and then makes the file the object under a key, in one atomic step.
    ///
    /// Makes durable, in this order: the description, the name of the description, the key's folders, the object's
    /// name. The tables of `FileStore` list what a crash after each step leaves behind.
    /// - Throws: `.keyTaken` or `.objectGone` if the condition is not fulfilled; `.outcomeUnknown` if the
    ///   object may have appeared but may not survive a power cut. After any other error the object has not appeared.
    func publish(
        _ file: FinishedFile, under key: FileStoreKey, metadata: ObjectMetadata, content: HashedContent,
        condition: PutCondition
    ) throws {
        let description = ObjectDescription(
            key: key, status: file.status, generation: file.generation, metadata: metadata, content: content)
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
                try files.makeStoreFolder(folder)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            try files.syncFolder(layout.metadata)
        }
        // A description with this path may exist. It is out of date: its file is gone, and the new file has got the
        // same inode number.
        let file = try files.createOrEmptyStoreFile(path)
        try file.write(encodedJSON(description), at: 0)
        try file.sync()
        try files.syncFolder(folder)
    }

    /// Throws if the condition is not fulfilled now. A write then fails before its bytes arrive. `publish` checks the
    /// condition again.
    func check(_ condition: PutCondition, of key: FileStoreKey) throws {
        guard let parent = try folders.openParent(of: key) else {
            if case .ifMatch = condition { throw StoreError(.objectGone) }
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
            guard found == nil else { throw StoreError(.keyTaken) }
        case .ifMatch(let etag):
            guard found != nil, let summary = try summary(of: key, in: parent)?.summary else {
                throw StoreError(.objectGone)
            }
            guard summary.etag.hasSameBytes(as: etag) else { throw StoreError(.keyTaken) }
        }
    }

    private func place(
        _ file: FinishedFile, under key: FileStoreKey, _ condition: PutCondition
    ) throws -> PlacedFile {
        for attempt in 1... {
            do {
                return try placeOnce(file, under: key, condition)
            } catch let error as FileError {
                // Another gateway may have removed an empty folder of this key, or made a folder that has the object's
                // name.
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
                try parent.removeEmptyFolders(key.name)
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
                throw StoreError(.keyTaken, cause: error)
            }
            throw error
        }
    }

    /// - Returns: whether the file was linked to its new name instead of renamed, so that it still has its old name,
    ///   too.
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
            // The file system or the kernel cannot rename without replacing: link the file to the new name instead.
            guard error.code == EINVAL || error.code == ENOSYS else { throw error }
            try parent.link(file.path, as: name)
            return true
        }
    }

    /// Locks a key's name. All gateways on this directory and all threads of this gateway take the lock, so that none
    /// of them replaces the object between the comparison with the condition and the rename. Keys with the same
    /// description folder share one lock.
    ///
    /// The holder makes only a few system calls and never syncs. So a long wait means that the process that holds the
    /// lock was stopped.
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

    /// Whether a rename or link that returned an error has given the file its new name nevertheless, as can happen on a
    /// network file system.
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

/// A file that has got the object's name. The name is not durable yet.
private struct PlacedFile: ~Copyable {
    let parent: OpenFolder
    let replaced: ReplacedFile?
    /// Whether the file was linked and therefore still has its old name in staging or in the upload's folder, too.
    let hasOldName: Bool
}

/// The replaced object, kept open until its description is removed. If it were closed before, a new file could get its
/// inode number. The removal would then hit the description of that new file, because both descriptions have the same
/// path.
private final class ReplacedFile: Sendable {
    let inode: UInt64
    private let file: OpenFile

    /// Returns `nil` if the file cannot be opened. Its description then stays and has no effect.
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

/// An object opened for reading. If the key gets another object, this one still reads the old bytes.
final class OpenObject: Sendable {
    private let file: OpenFile

    init(file: consuming OpenFile) {
        self.file = file
    }

    /// Reads up to `count` bytes at a byte offset. The result is empty only at the end of the object.
    func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
        try file.read(count, at: offset)
    }
}
