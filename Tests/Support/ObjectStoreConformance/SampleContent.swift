import Cryptography
import NIOCore
import ObjectStore
import Synchronization
import TransferCommon
import WireProtocol

/// Bytes that belong to one check, and the bodies made of them.
struct SampleContent {
    let bytes: [UInt8]

    /// - Parameter seed: samples with different seeds differ in nearly every byte.
    init(byteCount: Int, seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        self.bytes = (0..<byteCount).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 24)
        }
    }

    var digest: SHA256Digest {
        get throws { try SHA256Digest.of(bytes) }
    }

    /// The bytes in buffers of uneven sizes, one of them empty.
    var buffers: [ByteBuffer] {
        var buffers = [ByteBuffer()]
        var rest = bytes[...]
        var pieceBytes = 1
        while !rest.isEmpty {
            buffers.append(ByteBuffer(bytes: rest.prefix(pieceBytes)))
            rest = rest.dropFirst(pieceBytes)
            pieceBytes = min(pieceBytes * 7, 200_000)
        }
        return buffers
    }

    /// A correct body.
    func body() throws -> ObjectBody {
        ObjectBody(buffers: buffers, digest: try digest, md5: try md5())
    }

    /// A body that offers the digest of other content.
    func body(offering other: SampleContent) throws -> ObjectBody {
        ObjectBody(buffers: buffers, digest: try other.digest)
    }

    /// A body that announces `byteCount` bytes, however many bytes it supplies.
    func body(announcing byteCount: UInt64) throws -> ObjectBody {
        ObjectBody(byteCount: byteCount, digest: try digest, bytes: BrokenSource(buffers: buffers, end: .normal))
    }

    /// A body whose source gives half of the bytes and then ends as `end` says.
    func half(then end: BrokenSource.End) throws -> ObjectBody {
        let half = ByteBuffer(bytes: bytes.prefix(bytes.count / 2))
        return ObjectBody(
            byteCount: UInt64(bytes.count), digest: try digest, bytes: BrokenSource(buffers: [half], end: end))
    }

    /// MD5 of the bytes; `nil` if the cryptographic library has no MD5.
    func md5() throws -> MD5Digest? {
        guard var hasher = try? MD5Hasher() else { return nil }  // A library in FIPS mode has none.
        hasher.update(ByteBuffer(bytes: bytes))
        return try hasher.finalize()
    }
}

/// A faulty source of bytes.
struct BrokenSource: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Failure = any Error

    enum End: Sendable {
        case normal
        case failure
        /// Calls `reached` when all earlier buffers were taken, then waits until the task is cancelled.
        case silence(reached: @Sendable () -> Void)
    }

    struct SourceError: Error {}

    let buffers: [ByteBuffer]
    let end: End

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<ByteBuffer>
        let end: End

        mutating func next() async throws -> ByteBuffer? {
            if let buffer = rest.popFirst() { return buffer }
            switch end {
            case .normal:
                return nil
            case .failure:
                throw SourceError()
            case .silence(let reached):
                reached()
                // Longer than any test may last. Only cancellation ends the wait.
                try await Task.sleep(for: .seconds(3600))
                return nil
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(rest: buffers[...], end: end)
    }
}

/// Runs a call and cancels it when its body has given all its bytes.
func cancelled<Value: Sendable>(
    _ content: SampleContent, _ call: @escaping @Sendable (ObjectBody) async throws -> Value
) async throws -> Value {
    let (reached, signal) = AsyncStream.makeStream(of: Void.self)
    let body = try content.half(then: .silence { signal.finish() })
    let task = Task { try await call(body) }
    for await _ in reached {}
    task.cancel()
    return try await task.value
}

extension StoreUnderTest {
    /// Part size in the checks: the store's smallest, but at least 10,000 bytes, so that faults within a part are
    /// possible.
    var partBytes: Int {
        Int(max(store.limits.partBytesMin, 10_000))
    }

    /// Metadata with a new session id.
    func metadata() -> ObjectMetadata {
        var generator = SystemRandomNumberGenerator()
        return ObjectMetadata(
            session: SessionID.random(using: &generator), partBytes: UInt64(partBytes),
            modification: ModificationTime(seconds: 1_700_000_000, nanoseconds: 123_456_789))
    }

    /// Samples for the parts of one object: all but the last have `partBytes` bytes.
    func parts(count: Int, lastBytes: Int, seed: UInt64) -> [SampleContent] {
        (1...count).map { number in
            SampleContent(byteCount: number == count ? lastBytes : partBytes, seed: seed &* 1000 &+ UInt64(number))
        }
    }

    /// Writes an object and returns the session id of its metadata.
    @discardableResult
    func put(_ content: SampleContent, key: String, condition: PutCondition = .none) async throws -> SessionID {
        let metadata = metadata()
        _ = try await store.putObject(key: key, body: content.body(), metadata: metadata, condition: condition)
        return metadata.session
    }

    /// Uploads one part and returns its entry for the completion.
    func upload(
        _ content: SampleContent, number: UInt32, key: String, upload: String
    ) async throws -> CompletedPart {
        let number = try require(PartNumber(number), "a part number")
        let etag = try await store.uploadPart(key: key, upload: upload, number: number, body: content.body())
        return CompletedPart(
            number: number, size: UInt64(content.bytes.count), digest: try content.digest, etag: etag)
    }

    /// Creates an upload and uploads these parts.
    func begin(
        _ contents: [SampleContent], key: String, metadata: ObjectMetadata? = nil
    ) async throws -> (upload: String, parts: [CompletedPart]) {
        let id = try await store.createUpload(key: key, metadata: metadata ?? self.metadata())
        var parts: [CompletedPart] = []
        for (index, content) in contents.enumerated() {
            parts.append(try await upload(content, number: UInt32(index + 1), key: key, upload: id))
        }
        return (id, parts)
    }

    /// The object's bytes, or `nil` if there is no object.
    func read(_ key: String) async throws -> [UInt8]? {
        guard let reader = try await store.readObject(key: key) else { return nil }
        var bytes: [UInt8] = []
        for try await buffer in reader.bytes { bytes.append(contentsOf: buffer.readableBytesView) }
        try expect(UInt64(bytes.count) == reader.summary.size, "reading gives as many bytes as the summary says")
        return bytes
    }

    /// Checks that the key holds exactly this content, or no object for `nil`.
    func confirm(_ key: String, holds content: SampleContent?, line: Int = #line) async throws {
        let bytes = try await read(key)
        try expect(bytes == content?.bytes, "\(key) holds what it should", line: line)
        let size = try await store.object(key: key)?.size
        try expect(
            size == content.map { UInt64($0.bytes.count) }, "the summary of \(key) says so", line: line)
    }
}
