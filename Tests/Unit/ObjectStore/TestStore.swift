import Cryptography
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import ObjectStore
import ObjectStoreConformance
import Synchronization
import SystemSupport
import Testing
import TransferCommon
import WireProtocol

/// A directory for one test, and threads for the stores on it.
struct TestDirectory: Sendable {
    let url: URL
    let threads: NIOThreadPool

    /// The store's directory.
    var path: String { url.path }

    /// A logger without output.
    var logger: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// The path of a file or folder below the directory.
    func path(_ relative: String) -> String { "\(path)/\(relative)" }

    /// Opens one more store on the same directory, like another gateway.
    func open(
        _ faults: FileFaults? = nil, answers: FileSystemAnswers = FileSystemAnswers(), pageCountMax: Int = 1000,
        joinStepBytes: UInt64 = 64 << 20
    ) async throws -> FileStore {
        let fileSystem = FileSystem(answers: answers) { faults?.intercept($0) ?? 0 }
        return try await FileStore.open(
            path: path, threads: threads, logger: logger, pageCountMax: pageCountMax, joinStepBytes: joinStepBytes,
            fileSystem: fileSystem)
    }

    /// Waits until the locks of all stores that no longer exist are free. A process releases its lock at once when it
    /// ends. A store within this process releases it with its last reference, which a thread may hold a moment longer.
    func waitForLocksOfTheDead() async throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path(".sluice/instances")) {
            let descriptor = Glibc.open(path(".sluice/instances/\(name)"), O_RDWR | O_CLOEXEC)
            defer { close(descriptor) }
            while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
                try #require(errno == EWOULDBLOCK, "the lock of \(name)")
                // No event reports a released lock, so the loop polls; the test's own time limit ends it.
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    /// The sorted relative paths of all files below a folder of the store.
    func files(below folder: String) throws -> [String] {
        let base = url.appendingPathComponent(folder)
        let enumerator = FileManager.default.enumerator(at: base, includingPropertiesForKeys: [.isRegularFileKey])
        return (enumerator?.allObjects ?? []).compactMap { $0 as? URL }
            // try?: a file that vanishes after the listing does not count.
            .filter { (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true }
            .map { String($0.path.dropFirst(base.path.count + 1)) }
            .sorted()
    }

    func write(_ bytes: [UInt8], to relative: String) throws {
        try Data(bytes).write(to: url.appendingPathComponent(relative))
    }

    func read(_ relative: String) throws -> [UInt8] {
        Array(try Data(contentsOf: url.appendingPathComponent(relative)))
    }

    func exists(_ relative: String) -> Bool {
        FileManager.default.fileExists(atPath: path(relative))
    }

    /// Dates all files below a folder `seconds` back, as if they were last modified at that time.
    func age(_ folder: String, by seconds: TimeInterval) throws {
        for file in try files(below: folder) {
            try FileManager.default.setAttributes(
                [.modificationDate: Date().addingTimeInterval(-seconds)], ofItemAtPath: path("\(folder)/\(file)"))
        }
    }
}

/// The path of the folder that contains the last name of a path. The function works on bytes, as the kernel does,
/// because a slash and a combining character form one `Character`.
func parentPath(of path: String) -> String {
    String(decoding: path.utf8[..<(path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex)], as: UTF8.self)
}

/// Runs a test with a directory and removes it afterwards.
func withTestDirectory<Value>(_ body: (TestDirectory) async throws -> Value) async throws -> Value {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-store-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    let threads = NIOThreadPool(numberOfThreads: 4)
    threads.start()
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(TestDirectory(url: url, threads: threads)))
    } catch {
        result = .failure(error)
    }
    try await threads.shutdownGracefully()
    try FileManager.default.removeItem(at: url)
    return try result.get()
}

/// Runs a test with a store on a directory of its own.
func withTestStore<Value>(
    _ faults: FileFaults? = nil, _ body: (FileStore, TestDirectory) async throws -> Value
) async throws -> Value {
    try await withTestDirectory { directory in
        try await body(try await directory.open(faults), directory)
    }
}

/// Records a store's calls on the file system, and makes some fail.
final class FileFaults: Sendable {
    private struct State {
        var calls: [FileCall] = []
        var changeCount = 0
        var rule: @Sendable (FileCall, Int) -> CInt = { _, _ in 0 }
    }

    private let state = Mutex(State())

    /// The calls since the last `set` or `clear`, including failed ones.
    var calls: [FileCall] { state.withLock { $0.calls } }

    /// Number of calls since the last `set` or `clear` that change the directory or make a change durable.
    var changeCount: Int { state.withLock { $0.changeCount } }

    /// Sets a rule for all following calls. The rule returns 0 to let a call proceed, or the error with which the call
    /// fails. It receives the number of earlier calls that change the directory or make a change durable.
    func set(_ rule: @escaping @Sendable (FileCall, Int) -> CInt) {
        state.withLock { $0 = State(rule: rule) }
    }

    func clear() {
        state.withLock { $0 = State() }
    }

    /// Makes every call of one kind fail.
    func fail(_ operation: FileCall.Operation, with code: CInt) {
        set { call, _ in call.operation == operation ? code : 0 }
    }

    func intercept(_ call: FileCall) -> CInt {
        let (rule, index) = state.withLock { state in
            let index = state.changeCount
            state.calls.append(call)
            if call.operation.isChange { state.changeCount += 1 }
            return (state.rule, index)
        }
        // Call the rule without holding the lock, because the rule may wait.
        return rule(call, index)
    }
}

extension FileCall.Operation {
    /// Whether the operation changes the directory or makes part of it durable.
    var isChange: Bool {
        switch self {
        case .createFile, .write, .clone, .syncFile, .syncFolder, .touch, .setOwner, .setPermissions, .rename,
            .renameIfAbsent, .link, .removeFile, .makeFolder, .removeFolder:
            true
        case .openFile, .openFolder, .openBeneath, .inspect, .read, .status, .list, .lock:
            false
        }
    }
}

/// Bytes for a test, different for each seed.
struct Sample: Sendable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(_ byteCount: Int, seed: UInt8) {
        self.bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) ^ seed }
    }

    var digest: SHA256Digest { get throws { try SHA256Digest.of(bytes) } }

    func body() throws -> ObjectBody {
        ObjectBody(buffers: [ByteBuffer(bytes: bytes)], digest: try digest)
    }
}

/// Metadata of a session with a numbered id.
func metadata(session: UInt64 = 1, partBytes: UInt64 = 1000) -> ObjectMetadata {
    ObjectMetadata(
        session: SessionID(high: 0, low: session), partBytes: partBytes,
        modification: ModificationTime(seconds: 1_700_000_000, nanoseconds: 5))
}

extension ObjectStore {
    @discardableResult
    func put(_ sample: Sample, key: String, session: UInt64 = 1, condition: PutCondition = .none) async throws
        -> StoredObject
    {
        try await putObject(key: key, body: sample.body(), metadata: metadata(session: session), condition: condition)
    }

    func upload(_ sample: Sample, number: UInt32, key: String, upload: String) async throws -> CompletedPart {
        let number = try #require(PartNumber(number))
        let etag = try await uploadPart(key: key, upload: upload, number: number, body: sample.body())
        return CompletedPart(number: number, size: UInt64(sample.bytes.count), digest: try sample.digest, etag: etag)
    }

    /// Creates an upload with these samples as its parts.
    func begin(
        _ samples: [Sample], key: String, session: UInt64 = 1
    ) async throws -> (upload: String, parts: [CompletedPart]) {
        let id = try await createUpload(key: key, metadata: metadata(session: session))
        var parts: [CompletedPart] = []
        for (index, sample) in samples.enumerated() {
            parts.append(try await upload(sample, number: UInt32(index + 1), key: key, upload: id))
        }
        return (id, parts)
    }

    @discardableResult
    func complete(
        _ upload: String, _ parts: [CompletedPart], key: String, condition: PutCondition = .none
    ) async throws -> StoredObject {
        try await completeUpload(
            key: key, upload: upload, parts: parts, size: parts.reduce(0) { $0 + $1.size }, condition: condition)
    }

    func contents(_ key: String) async throws -> [UInt8]? {
        guard let reader = try await readObject(key: key) else { return nil }
        var bytes: [UInt8] = []
        for try await buffer in reader.bytes { bytes.append(contentsOf: buffer.readableBytesView) }
        return bytes
    }
}

/// Expects a call to fail with a `StoreError` of this reason, and returns the error.
@discardableResult
func expectError<Value>(
    _ reason: StoreError.Reason, sourceLocation: SourceLocation = #_sourceLocation, from call: () async throws -> Value
) async -> StoreError? {
    do {
        let value = try await call()
        Issue.record("expected \(reason), got \(value)", sourceLocation: sourceLocation)
        return nil
    } catch {
        let error = error as? StoreError
        #expect(error?.reason == reason, "\(String(reflecting: error))", sourceLocation: sourceLocation)
        return error
    }
}
