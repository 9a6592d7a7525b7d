import Cryptography
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

/// One attempt to make an object out of an upload's parts. The attempt holds the upload's lock until it ends.
///
/// The caller calls `begin`, then `joinMore` until it returns `true`, then `publish`. After an error, or to stop early,
/// it calls `giveUp`. Each call is short enough for a thread of a shared pool. Only one task at a time may use this
/// object.
final class UploadCompletion: Sendable {
    private struct State: ~Copyable {
        var lock: OpenFile
        let joined: OpenFile
        var joinedParts = 0
        /// Number of bytes of the next part that have been copied to `joined`.
        var joinedBytesOfPart: UInt64 = 0
        var joinedBytes: UInt64 = 0
        var canClone = true
    }

    private static let copyBytes = 1 << 20

    private let directory: StoreDirectory
    private let key: FileStoreKey
    private let upload: String
    private let parts: [CompletedPart]
    private let metadata: ObjectMetadata
    private let state: Mutex<State>

    private init(
        directory: StoreDirectory, key: FileStoreKey, upload: String, parts: [CompletedPart], metadata: ObjectMetadata,
        lock: consuming OpenFile, joined: consuming OpenFile
    ) {
        self.directory = directory
        self.key = key
        self.upload = upload
        self.parts = parts
        self.metadata = metadata
        self.state = Mutex(State(lock: lock, joined: joined))
    }

    /// Begins a completion: locks the upload and checks every part. Writes nothing before all parts are checked.
    static func begin(
        _ directory: StoreDirectory, key: FileStoreKey, upload: String, parts: [CompletedPart], size: UInt64,
        condition: PutCondition
    ) throws -> UploadCompletion {
        let metadata = try directory.uploads.description(of: upload, of: key)
        guard let lock = try directory.uploads.lock(upload) else { throw StoreError(.completionInProgress) }
        try directory.uploads.undoCompletion(of: upload, of: key)
        try check(parts, size: size, partBytes: metadata.partBytes)
        var invalid: [PartNumber] = []
        for part in parts {
            guard let stored = try directory.uploads.part(part.number, of: upload), part.isSame(as: stored.listed)
            else {
                invalid.append(part.number)
                continue
            }
        }
        guard invalid.isEmpty else { throw StoreError(.partsInvalid(invalid)) }
        try directory.objects.check(condition, of: key)
        let joined = try directory.files.createStoreFile(directory.layout.joined(of: upload))
        return UploadCompletion(
            directory: directory, key: key, upload: upload, parts: parts, metadata: metadata, lock: lock, joined: joined
        )
    }

    /// Checks that the part numbers run from 1 without a gap and that all parts but the last have the upload's part
    /// size. The object's evidence is computed from both; without this check it could be wrong.
    private static func check(_ parts: [CompletedPart], size: UInt64, partBytes: UInt64) throws {
        var invalid: [PartNumber] = []
        var expected: UInt32 = 1
        var sum: UInt64 = 0
        for (index, part) in parts.enumerated() {
            if part.number.value != expected, let missing = PartNumber(expected) { invalid.append(missing) }
            let isLast = index == parts.count - 1
            if isLast ? part.size > partBytes : part.size != partBytes { invalid.append(part.number) }
            guard part.number.value < UInt32.max else { break }
            expected = part.number.value + 1
            sum = sum.addingReportingOverflow(part.size).partialValue
        }
        if parts.isEmpty, let first = PartNumber(1) { invalid.append(first) }
        guard invalid.isEmpty else { throw StoreError(.partsInvalid(invalid)) }
        guard sum == size else { throw StoreError(.sizeMismatch, "The parts do not add up to the object's size.") }
    }

    /// Copies or clones further bytes into the joined file.
    ///
    /// - Parameter stepBytes: the approximate number of bytes to add.
    /// - Returns: whether all parts are joined and durable.
    func joinMore(_ stepBytes: UInt64) throws -> Bool {
        try state.withLock { state in
            var budget = stepBytes
            while budget > 0, state.joinedParts < parts.count {
                let part = parts[state.joinedParts]
                guard let stored = try directory.uploads.part(part.number, of: upload), part.isSame(as: stored.listed)
                else {
                    throw StoreError(.partsInvalid([part.number]))
                }
                let count = min(part.size - state.joinedBytesOfPart, budget)
                try Self.join(count, of: stored.file, isWholePart: count == part.size, into: &state)
                budget -= count
                guard state.joinedBytesOfPart == part.size else { continue }
                state.joinedParts += 1
                state.joinedBytesOfPart = 0
            }
            // Sync after each step. Otherwise the last sync would have to write everything and take long.
            try state.joined.sync()
            return state.joinedParts == parts.count
        }
    }

    private static func join(
        _ count: UInt64, of source: borrowing OpenFile, isWholePart: Bool, into state: inout State
    ) throws {
        if state.canClone, isWholePart, count > 0 {
            do {
                try state.joined.clone(count, of: source, at: state.joinedBytes)
                state.joinedBytesOfPart += count
                state.joinedBytes += count
                return
            } catch {
                // Throw if the disk is full or fails. EINVAL means that this part does not end on a block boundary:
                // copy this part. Other errors mean that the file system cannot clone: copy all parts.
                guard error.code != ENOSPC, error.code != EDQUOT, error.code != EIO else { throw error }
                if error.code != EINVAL { state.canClone = false }
            }
        }
        var left = count
        try withUnsafeTemporaryAllocation(byteCount: copyBytes, alignment: 16) { buffer in
            while left > 0 {
                let wanted = Int(min(left, UInt64(buffer.count)))
                let got = try source.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: state.joinedBytesOfPart)
                guard got > 0 else { throw StoreError(.damaged, "A stored part is shorter than its listed size.") }
                try state.joined.write(UnsafeRawBufferPointer(rebasing: buffer[..<got]), at: state.joinedBytes)
                state.joinedBytesOfPart += UInt64(got)
                state.joinedBytes += UInt64(got)
                left -= UInt64(got)
            }
        }
    }

    /// Makes `joined` the object, and then removes the upload.
    func publish(_ condition: PutCondition) throws -> StoredObject {
        let root: SHA256Digest
        do {
            root = try RootDigest.of(parts.map(\.digest))
        } catch {
            throw StoreError.cryptographyFailed(error)
        }
        let content = HashedContent.parts(root: root, count: UInt32(clamping: parts.count))
        let finished = try state.withLock { state in
            FinishedFile(
                path: directory.layout.joined(of: upload), status: try state.joined.status(),
                generation: state.joined.generation())
        }
        // Make `completing` durable before the object gets its name. From then on, `completing` without `joined` means
        // that the object exists.
        _ = try directory.files.createStoreFile(directory.layout.completing(of: upload))
        try directory.files.syncFolder(directory.layout.upload(upload))
        try directory.objects.publish(
            finished, under: key, metadata: metadata, content: content, condition: condition)
        do {
            try directory.uploads.remove(upload)
        } catch {
            // The object is durable, so the completion has succeeded. Later calls recognise what is left of the upload
            // and ignore it.
            directory.logger.warning(
                "Could not remove a completed upload; it takes up space until it is cleaned",
                metadata: ["error": "\(StoreError.sentence(of: error))"])
        }
        return content.storedObject
    }

    /// Undoes this attempt, unless it has succeeded, and unlocks the upload. It unlocks explicitly, so that a caller
    /// can try again at once even if a thread still holds a reference to this attempt.
    ///
    /// - Parameter mayBePublished: whether the object may exist already. The files then stay, so that the next call can
    ///   find out whether it does.
    func giveUp(mayBePublished: Bool) {
        defer { state.withLock { $0.lock.unlock() } }
        guard !mayBePublished else { return }
        do {
            try directory.uploads.undoCompletion(of: upload, of: key)
        } catch {
            // The next attempt, or the next gateway that starts, undoes this completion.
            directory.logger.debug(
                "Could not undo a completion", metadata: ["error": "\(StoreError.sentence(of: error))"])
        }
    }
}

extension CompletedPart {
    /// Compares the digest as well as the ETag: the ETag comes from the store, and the digest from the agent.
    fileprivate func isSame(as stored: ListedPart) -> Bool {
        stored.size == size && stored.etag == etag && stored.digest == digest
    }
}
