package import Logging
import NIOCore
package import NIOPosix
package import SystemSupport
package import TransferCommon
import WireProtocol

/// Objects as plain files in a directory (`file:///dir`). Several gateways may share it.
///
/// `FileStoreLayout` shows which file lies where. What holds:
///
/// - Nothing gets its place before its bytes are durable, and nothing is answered before its place is durable too.
///   "Synced" below means `fsync` of the file, or of the folder that has its name.
/// - Files are made in staging or in an upload's folder and get their place by one rename or link. So others see them
///   whole or not at all, two writers never mix, and the last one wins.
/// - A key is bytes (`ObjectKey`). Its folders are opened one from within the other, and its object is found, opened,
///   named and made durable by the descriptor of the last one (`OpenFolder`). So no symbolic link, mount point or
///   folder that is swapped meanwhile leads out of the directory.
/// - An object's name is given under a lock that all gateways on the directory share, so that what a condition compares
///   is what is replaced (`StoreDirectory.publish`). Other programs do not take the lock. `ifAbsent` holds against them
///   too, since the kernel checks it; `ifMatch` can lose a file that they put there within the same microseconds.
/// - Where the file system cannot keep these promises, the store does not open (`FileSystemRules`).
/// - What is known of an object names the object's inode (`ObjectDescription`), so it is true or void.
/// - Only the holder of an upload's lock (`flock` on its folder) completes or drops it. Writing and listing parts needs
///   no lock: when the folder is gone they fail.
/// - Only what belongs to an instance whose lock can be had is cleared away (`FileStoreInstance`).
///
/// The order of the steps, and what a crash or power cut after each leaves:
///
/// | `putObject`                               | left behind                                                          |
/// |-------------------------------------------|----------------------------------------------------------------------|
/// | 1 bytes written to staging                | a staged file; removed when a gateway starts                         |
/// | 2 digest right, file synced               | the same                                                             |
/// | 3 description written, synced, folder synced | and a description of a file that is no object: void |
/// | 4 key's folders made, the folder above each synced | and empty folders, which are in nobody's way                |
/// | 5 condition compared, renamed to the key  | the object and its description; after a power cut perhaps the old    |
/// | 6 key's folder synced                     | the object                                                           |
/// | 7 replaced object's description removed   | the same; before, a description of a file that is gone: void         |
///
/// | `uploadPart`                              | left behind                                                          |
/// |-------------------------------------------|----------------------------------------------------------------------|
/// | 1 bytes and footer written to staging     | a staged file; removed when a gateway starts                         |
/// | 2 digest right, file synced               | the same                                                             |
/// | 3 renamed into the upload's folder        | the part, or after a power cut perhaps the one before it             |
/// | 4 upload's folder synced                  | the part                                                             |
///
/// | `completeUpload`                          | left behind                                                          |
/// |-------------------------------------------|----------------------------------------------------------------------|
/// | 1 parts copied or cloned into `joined` | the upload as it was, and `joined`, removed by the next start |
/// | 2 `joined` synced                         | the same                                                             |
/// | 3 `completing` made, folder synced        | the same; `completing` with `joined` means that nothing has happened |
/// | 4–6 as 3–5 of `putObject` | the object, and `completing` without `joined`: the upload counts as gone |
/// | 7 key's folder synced                     | the same                                                             |
/// | 8 upload renamed to staging, `uploads` synced | the object; the rest is removed when a gateway starts            |
///
/// Where an object may appear only if absent, the kernel renames without replacing. A file system that cannot do this
/// links instead, and the old name is removed after step 6: a crash in between leaves it in staging, or as `joined`.
///
/// Because a name may be seen before it is durable, listings and summaries sync the folder before they tell of it.
///
/// Joining takes up the object's size once more until the upload is removed, except where the file system can clone
/// (XFS, Btrfs): there it takes neither space nor time.
package final class FileStore: ObjectStore {
    package let limits: StoreLimits

    // The state is for the files of this type only.
    let directory: StoreDirectory
    let threads: NIOThreadPool
    let pageCountMax: Int
    let joinStepBytes: UInt64

    /// So much of a body is gathered before it goes to a thread, so that small pieces do not cost one hop each.
    private static let writeBytes = 256 << 10
    private static let recordBytesMax = 64 << 10

    /// Opens a store and clears away what gateways that ended have left in it.
    ///
    /// - Parameters:
    ///   - path: absolute; the directory must exist.
    ///   - threads: started, and not shut down before the store is closed. All file calls run on them, so their number
    ///     is how many go on at a time.
    ///   - partsMax: how many parts an upload may have. The default is S3's, so that agents see one rule.
    ///   - pageCountMax: the length of a page of parts or record names.
    ///   - joinStepBytes: how much of an object is joined and synced before other work has its turn on the thread.
    ///   - fileSystem: another than the plain one only to watch it or to make it fail.
    package static func open(
        path: String, threads: NIOThreadPool, logger: Logger, partsMax: UInt32 = 10_000, pageCountMax: Int = 1000,
        joinStepBytes: UInt64 = 64 << 20, fileSystem: FileSystem = FileSystem()
    ) async throws(StoreError) -> FileStore {
        guard path.utf8.first == ObjectKey.separator, !path.utf8.contains(0) else {
            throw StoreError(.noSuchBucket, "The store's directory must be an absolute path.")
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

    /// Removes this instance's staging and lock. Calls that are under way or come later fail.
    ///
    /// Not closing does no harm: the next FileStore on the directory clears away instead.
    package func close() async throws(StoreError) {
        let directory = directory
        try await threads.run { try directory.close() }
    }

    package var identity: StoreIdentity { directory.identity }

    /// A key that could be a path here.
    func key(_ key: ObjectKey) throws(StoreError) -> FileStoreKey {
        try FileStoreKey(key, bytesMax: limits.keyBytesMax)
    }
}

// MARK: - Objects

extension FileStore {
    package func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary? {
        let key = try self.key(key)
        let directory = directory
        return try await threads.run { try directory.summary(of: key)?.summary }
    }

    package func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader? {
        let key = try self.key(key)
        let directory = directory
        guard let found = try await threads.run({ try directory.summary(of: key) }) else { return nil }
        let bytes = OpenObjectBytes(object: found.file, size: found.summary.size, threads: threads)
        return ObjectReader(summary: found.summary, bytes: bytes)
    }

    package func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt {
        let key = try self.key(key)
        guard body.byteCount <= limits.partBytesMax else { throw StoreError(.tooLarge) }
        let directory = directory
        let staged = try await threads.run {
            try directory.check(condition, of: key)
            return try StagedFile(directory.files.create(directory.instance.makeStagingPath()))
        }
        do {
            let finished = try await receive(body, into: staged, hasFooter: false)
            var metadata = metadata
            metadata.partDigest = body.digest
            let evidence = ObjectEvidence.partDigest(body.digest)
            try await threads.run { [metadata] in
                try directory.publish(
                    finished, under: key, metadata: metadata, evidence: evidence, condition: condition)
            }
            return ObjectReceipt(etag: evidence.fileStoreETag, version: nil, evidence: evidence)
        } catch {
            await discard(staged)
            throw error
        }
    }

    /// Takes in a body. Nothing but the staged file knows of it, whatever happens.
    func receive(
        _ body: ObjectBody, into staged: StagedFile, hasFooter: Bool
    ) async throws(StoreError) -> FinishedFile {
        let rest = try await gather(body.bytes, byteCount: body.byteCount, into: staged)
        return try await threads.run {
            try staged.append(rest)
            return try staged.finish(expecting: body.digest, hasFooter: hasFooter)
        }
    }

    /// Writes all of a source but the last buffers, which it returns.
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

    /// Tells a source that fails or is cancelled from a store that fails.
    private func next<Iterator: AsyncIteratorProtocol>(
        of iterator: inout Iterator
    ) async throws(StoreError) -> ByteBuffer? where Iterator.Element == ByteBuffer {
        do {
            let buffer = try await iterator.next(isolation: #isolation)
            // A source that ends early because it was cancelled is not too short.
            try Task.checkCancellation()
            return buffer
        } catch {
            throw StoreError(Task.isCancelled || error is CancellationError ? .cancelled : .bodyFailed, cause: error)
        }
    }

    /// Removes a staged file that has no place of its own yet.
    func discard(_ staged: StagedFile) async {
        let directory = directory
        do {
            try await threads.run { directory.discard(staged.path) }
        } catch {
            // The threads have ended. The next gateway clears it away.
        }
    }
}

/// An open object's bytes, from the start each time they are iterated.
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
            guard !bytes.isEmpty else { throw StoreError(.damaged, "The object is shorter than it was.") }
            self.offset += UInt64(bytes.count)
            return ByteBuffer(bytes: bytes)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: self)
    }
}

extension NIOThreadPool {
    /// Does blocking work on one of the threads. Not cut short by cancelling: cleaning up must happen all the same.
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
