package import Logging
import NIOCore
package import NIOPosix
package import SystemSupport
package import TransferCommon
import WireProtocol

/// A store that keeps objects as plain files in a directory (`file:///dir`). Several gateways may share the directory.
///
/// `FileStoreLayout` lists the files and their paths. Invariants:
///
/// - A file gets its final name only after its bytes are durable, and a call returns only after the name is durable,
///   too. "Synced" below means `fsync` of the file, or of the folder that contains its name.
/// - Files are created in staging or in an upload's folder and get their final name by one rename or link. So readers
///   see a complete file or none, the bytes of two writers never mix, and the last writer wins.
/// - A key is a sequence of bytes (`ObjectKey`). The store opens each folder of a key from within the folder above it,
///   and finds, opens, names and syncs the object through the descriptor of the last folder (`OpenFolder`). So no
///   symbolic link, mount point or replaced folder leads out of the directory.
/// - An object gets its name under a lock that all gateways on the directory share. The object that a condition is
///   compared with is therefore the object that is replaced (`ObjectFiles.publish`). Other programs do not take the
///   lock. `ifAbsent` still never replaces a file of another program, because the kernel checks it. `ifMatch` can
///   replace a file that another program wrote in the microseconds after the comparison.
/// - The store does not open on a file system that is known to break these invariants (`FileSystemRules`).
/// - A description names the inode of the file that it describes (`ObjectDescription`). It is therefore either true, or
///   it describes no existing file and has no effect (*void*).
/// - Only the holder of an upload's lock (`flock` on its folder) completes or aborts it. Writing and listing parts
///   needs no lock, because both fail once the upload's folder is gone.
/// - A gateway removes the staged files of another gateway only if the other gateway's lock is free, which means that
///   it has ended (`FileStoreInstance`).
///
/// The order of the steps, and what a crash or power cut after each step leaves behind:
///
/// | `putObject`                                   | left behind                                                      |
/// |-----------------------------------------------|------------------------------------------------------------------|
/// | 1 bytes written to staging                    | a staged file; removed when a gateway starts                     |
/// | 2 digest compared, file synced                | the same                                                         |
/// | 3 description written, file and folder synced | also a description without an object, which is void              |
/// | 4 key's folders made, each name synced        | also empty folders, which block no key                           |
/// | 5 condition compared, renamed to the key      | object and description; after a power cut perhaps the old object |
/// | 6 key's folder synced                         | the object, and a void description of the replaced object        |
/// | 7 replaced object's description removed       | the object                                                       |
///
/// | `uploadPart`                          | left behind                                           |
/// |---------------------------------------|-------------------------------------------------------|
/// | 1 bytes and footer written to staging | a staged file; removed when a gateway starts          |
/// | 2 digest compared, file synced        | the same                                              |
/// | 3 renamed into the upload's folder    | the part; after a power cut perhaps the previous part |
/// | 4 upload's folder synced              | the part                                              |
///
/// | `completeUpload`                              | left behind                                                    |
/// |-----------------------------------------------|----------------------------------------------------------------|
/// | 1 parts copied or cloned into `joined`        | the upload, and `joined`, which the next start removes         |
/// | 2 `joined` synced                             | the same                                                       |
/// | 3 `completing` made, folder synced            | the same; both files together mean that there is no object yet |
/// | 4–6 as 3–5 of `putObject`                     | the object; `completing` without `joined`: the upload is over  |
/// | 7 key's folder synced                         | the same                                                       |
/// | 8 upload renamed to staging, `uploads` synced | the object; a starting gateway removes the rest                |
///
/// With the condition `ifAbsent`, the kernel renames the file only if the new name is free. On a file system that
/// cannot do this, the store links the file to the new name instead and removes the old name after step 6. A crash in
/// between leaves the old name in staging, or as `joined`.
///
/// A name can be visible before it is durable. Listings and summaries therefore sync the folder before they return.
///
/// Joining the parts needs free space of the object's size until the upload is removed. On a file system that clones
/// blocks (XFS, Btrfs) it needs almost no space and time.
package final class FileStore: ObjectStore {
    package let limits: StoreLimits

    // The following properties are internal and not private, because extensions of this type in other files use them.
    let directory: StoreDirectory
    let threads: NIOThreadPool
    let pageCountMax: Int
    let joinStepBytes: UInt64

    /// Number of bytes of a body that are collected before a pool thread writes them together. Otherwise each small
    /// buffer would cost a change of thread.
    private static let writeBytes = 256 << 10
    private static let recordBytesMax = 64 << 10

    /// Opens a store and removes the staged files of gateways that have ended.
    ///
    /// - Parameters:
    ///   - path: absolute path of an existing directory.
    ///   - threads: a started pool, which must not be shut down before the store is closed. All file calls run on this
    ///     pool, so its size limits the number of concurrent calls.
    ///   - partsMax: maximum number of parts of an upload. The default is S3's limit, so that agents see the same limit
    ///     with every store.
    ///   - pageCountMax: maximum number of entries in a page of parts or record names.
    ///   - joinStepBytes: number of bytes that a completion joins and syncs before the thread serves other work.
    ///   - fileSystem: the file calls to use. Tests pass a value that records the calls or lets some of them fail.
    package static func open(
        path: String, threads: NIOThreadPool, logger: Logger, partsMax: UInt32 = 10_000, pageCountMax: Int = 1000,
        joinStepBytes: UInt64 = 64 << 20, fileSystem: FileSystem = FileSystem()
    ) async throws(StoreError) -> FileStore {
        guard path.utf8.first == ObjectKey.separator, !path.utf8.contains(0) else {
            throw StoreError(.bucketMissing, "The store's directory must be an absolute path.")
        }
        let root = StoreLocation.removingSlashesAtEnd(path)
        let directory = try await threads.run {
            try StoreDirectory(root: root, files: fileSystem, logger: logger)
        }
        return FileStore(
            directory: directory, threads: threads, partsMax: partsMax, pageCountMax: pageCountMax,
            joinStepBytes: joinStepBytes)
    }

    private init(
        directory: StoreDirectory, threads: NIOThreadPool, partsMax: UInt32, pageCountMax: Int, joinStepBytes: UInt64
    ) {
        self.directory = directory
        self.threads = threads
        self.pageCountMax = max(1, pageCountMax)
        self.joinStepBytes = max(1, joinStepBytes)
        let partBytesMax: UInt64 = 5 << 30
        self.limits = StoreLimits(
            partBytesMin: 1, partBytesMax: partBytesMax, partsMax: partsMax,
            objectBytesMax: partBytesMax * UInt64(partsMax), keyBytesMax: directory.layout.keyBytesMax,
            recordBytesMax: Self.recordBytesMax, checksPartDigests: true, conditions: .all,
            completionTimeMax: .zero)
    }

    /// Removes this instance's staging folder and lock. Running and later calls fail.
    ///
    /// Closing is optional: the next FileStore that opens the directory removes the files of a store that was not
    /// closed.
    package func close() async throws(StoreError) {
        let directory = directory
        try await threads.run { try directory.close() }
    }

    package var identity: StoreIdentity { directory.identity }

    /// The key as a path in this directory. Throws if the key cannot be a path.
    func key(_ key: ObjectKey) throws(StoreError) -> FileStoreKey {
        try FileStoreKey(key, bytesMax: limits.keyBytesMax)
    }
}

// MARK: - Objects

extension FileStore {
    package func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary? {
        let key = try self.key(key)
        let directory = directory
        return try await threads.run { try directory.objects.summary(of: key)?.summary }
    }

    package func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader? {
        let key = try self.key(key)
        let directory = directory
        guard let found = try await threads.run({ try directory.objects.summary(of: key) }) else { return nil }
        let bytes = OpenObjectBytes(object: found.file, size: found.summary.size, threads: threads)
        return ObjectReader(summary: found.summary, bytes: bytes)
    }

    package func recordedContents(key: ObjectKey) async throws(StoreError) -> [RecordedContent] {
        let key = try self.key(key)
        let directory = directory
        return try await threads.run { try directory.objects.recordedContents(of: key) }
    }

    package func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        let key = try self.key(key)
        guard body.byteCount <= limits.partBytesMax else { throw StoreError(.tooLarge) }
        let directory = directory
        let staged = try await threads.run {
            try directory.objects.check(condition, of: key)
            return try StagedFile(directory.files.createStoreFile(directory.instance.makeStagingPath()))
        }
        do {
            let finished = try await receive(body, into: staged, hasFooter: false)
            var metadata = metadata
            metadata.partDigest = body.digest
            let content = HashedContent.whole(body.digest)
            try await threads.run { [metadata] in
                try directory.objects.publish(
                    finished, under: key, metadata: metadata, content: content, condition: condition)
            }
            return content.storedObject
        } catch {
            await discard(staged)
            throw error
        }
    }

    /// Writes a body to a staged file and checks its size and digest. Changes nothing else in the directory, even if it
    /// fails.
    ///
    /// - Parameter hasFooter: whether to append a `PartFooter`.
    func receive(
        _ body: ObjectBody, into staged: StagedFile, hasFooter: Bool
    ) async throws(StoreError) -> FinishedFile {
        let rest = try await gather(body.bytes, byteCount: body.byteCount, into: staged)
        return try await threads.run {
            try staged.append(rest)
            return try staged.finish(expecting: body.digest, hasFooter: hasFooter)
        }
    }

    /// Writes the bytes of a source, except the last buffers. Returns the last buffers, so that the caller can write
    /// them and finish the file in one piece of work on a thread.
    private func gather<Source: AsyncSequence>(
        _ source: Source, byteCount: UInt64, into staged: StagedFile
    ) async throws(StoreError) -> [ByteBuffer] where Source.Element == ByteBuffer {
        var gathered: [ByteBuffer] = []
        var gatheredBytes = 0
        var receivedBytes: UInt64 = 0
        var iterator = source.makeAsyncIterator()
        while let buffer = try await next(of: &iterator) {
            receivedBytes += UInt64(buffer.readableBytes)
            guard receivedBytes <= byteCount else { throw StoreError(.sizeMismatch) }
            gathered.append(buffer)
            gatheredBytes += buffer.readableBytes
            guard gatheredBytes >= Self.writeBytes else { continue }
            let full = gathered
            try await threads.run { try staged.append(full) }
            gathered = []
            gatheredBytes = 0
        }
        guard receivedBytes == byteCount else { throw StoreError(.sizeMismatch) }
        return gathered
    }

    /// If the source fails, throws `.bodyFailed` or `.cancelled`, so that the failure does not look like one of the
    /// store.
    private func next<Iterator: AsyncIteratorProtocol>(
        of iterator: inout Iterator
    ) async throws(StoreError) -> ByteBuffer? where Iterator.Element == ByteBuffer {
        do {
            let buffer = try await iterator.next(isolation: #isolation)
            // After a cancellation the source may end early. Throw here, so that the body is not reported as too short.
            try Task.checkCancellation()
            return buffer
        } catch {
            throw StoreError(Task.isCancelled || error is CancellationError ? .cancelled : .bodyFailed, cause: error)
        }
    }

    /// Removes a staged file that has not become an object or a part.
    func discard(_ staged: StagedFile) async {
        let directory = directory
        do {
            try await threads.run { directory.files.discard(staged.path, directory.logger) }
        } catch {
            // The thread pool has ended. The next gateway that opens this directory removes the file.
        }
    }
}

private struct OpenObjectBytes: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Failure = StoreError

    private static let readBytes = 256 << 10

    let object: OpenObject
    let size: UInt64
    let threads: NIOThreadPool

    struct AsyncIterator: AsyncIteratorProtocol {
        let source: OpenObjectBytes
        var offset: UInt64 = 0

        mutating func next() async throws(StoreError) -> ByteBuffer? {
            try await next(isolation: nil)
        }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(StoreError) -> ByteBuffer? {
            guard offset < source.size else { return nil }
            if Task.isCancelled { throw StoreError(.cancelled) }
            let (object, offset) = (source.object, offset)
            let count = Int(Swift.min(source.size - offset, UInt64(OpenObjectBytes.readBytes)))
            let bytes = try await source.threads.run { try object.read(count, at: offset) }
            guard !bytes.isEmpty else {
                throw StoreError(.damaged, "The object became shorter while it was being read.")
            }
            self.offset += UInt64(bytes.count)
            return ByteBuffer(bytes: bytes)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: self)
    }
}

extension NIOThreadPool {
    /// Runs blocking work on a thread of the pool. Cancelling the task does not stop the work: it may be the removal of
    /// files, which is needed after a cancellation, too.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            submit { state in
                guard state == .active else {
                    continuation.resume(returning: .failure(StoreError(.unavailable, "The store has been shut down.")))
                    return
                }
                continuation.resume(returning: Result(catching: work).mapError { StoreError(anyFrom: $0) })
            }
        }
        return try result.get()
    }
}
