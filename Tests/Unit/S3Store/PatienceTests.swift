import Cryptography
import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Synchronization
import Testing
import TransferCommon
import WireProtocol

@Suite(.timeLimit(.minutes(5))) struct PatienceTests {
    private func timeouts(_ change: (inout S3Timeouts) -> Void) -> S3Timeouts {
        var timeouts = S3Timeouts()
        change(&timeouts)
        return timeouts
    }

    @Test func aSilentStoreIsUnavailable() async throws {
        let timeouts = timeouts { $0.answer = .seconds(1) }
        try await ScriptedServer.withServer({ _ in .silence }) { server in
            try await withScriptedStore(server, timeouts: timeouts) { store in
                await expect(throwing: .unavailable) { try await store.listParts(key: "k", upload: "u", after: nil) }
                #expect(server.requests.count == 3)
            }
        }
    }

    /// Before a store begins to answer a completion, it may have to join the parts. So the client waits longer for this
    /// answer than for any other.
    @Test func completingHasATimeLimitOfItsOwn() async throws {
        let timeouts = timeouts { $0.completion = .seconds(1) }
        try await ScriptedServer.withServer({ _ in .silence }) { server in
            try await withScriptedStore(server, timeouts: timeouts) { store in
                let part = CompletedPart(
                    number: try #require(PartNumber(1)), size: 1, digest: try SHA256Digest.of([]), etag: "e")
                await expect(throwing: .outcomeUnknown) {
                    try await store.completeUpload(key: "k", upload: "u", parts: [part], size: 1, condition: .none)
                }
                #expect(server.requests.count == 1)
            }
        }
    }

    /// The store reads nothing. The client then takes no more bytes from the body's source, so that waiting bytes do
    /// not fill the memory.
    @Test func aStoreThatDoesNotReadStopsTheSource() async throws {
        let timeouts = timeouts { $0.bodyPause = .milliseconds(500) }
        let early: ScriptedServer.EarlyScript = { _ in .stopReading }
        try await ScriptedServer.withServer(early: early, { _ in .silence }) { server in
            try await withScriptedStore(server, timeouts: timeouts) { store in
                let one = try #require(PartNumber(1))
                let source = CountedSource(byteCount: 256 << 20)
                let body = ObjectBody(byteCount: 256 << 20, digest: try SHA256Digest.of([]), bytes: source)
                await expect(throwing: .unavailable) {
                    try await store.uploadPart(key: "k", upload: "u", number: one, body: body)
                }
                // The kernel's buffers hold many megabytes, so the source has given some bytes even to a store that
                // reads nothing.
                #expect(source.givenByteCount > 0)
                #expect(source.givenByteCount < 64 << 20)
            }
        }
    }

    /// Cancelling after the last byte was sent comes too late: the call ends with the outcome that the store reports.
    @Test(arguments: [10, 100_000])
    func lateCancellingDoesNotHideTheOutcome(size: Int) async throws {
        let (arrived, signal) = AsyncStream.makeStream(of: Void.self)
        let script: ScriptedServer.Script = { _ in
            signal.finish()
            return .delayed(.milliseconds(300), .answer(status: 200, headers: [("ETag", "\"e\"")]))
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server) { store in
                let body = try body(of: [size])
                let call = Task {
                    try await store.putObject(key: "k", body: body, metadata: sampleMetadata(), condition: .none)
                }
                for await _ in arrived {}
                call.cancel()
                let stored = try await call.value
                #expect(stored.etag == "\"e\"")
            }
        }
    }

    @Test(arguments: [10, 100_000])
    func earlyCancellingEndsTheCallAtOnce(half: Int) async throws {
        try await ScriptedServer.withServer({ _ in .silence }) { server in
            try await withScriptedStore(server) { store in
                let source = GatedSource(first: ByteBuffer(repeating: 1, count: half))
                let body = ObjectBody(byteCount: UInt64(2 * half), digest: try SHA256Digest.of([]), bytes: source)
                let call = Task {
                    try await store.putObject(key: "k", body: body, metadata: sampleMetadata(), condition: .none)
                }
                await source.waitUntilFirstIsTaken()
                call.cancel()
                await expect(throwing: .cancelled) { try await call.value }
            }
        }
    }
}

private final class CountedSource: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let byteCount: Int
    private let given = Mutex(0)

    var givenByteCount: Int { given.withLock { $0 } }

    init(byteCount: Int) {
        self.byteCount = byteCount
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let source: CountedSource
        let piece = ByteBuffer(repeating: 0x61, count: 256 << 10)

        mutating func next() async -> ByteBuffer? {
            source.take(piece)
        }

        mutating func next(isolation actor: isolated (any Actor)?) async -> ByteBuffer? {
            source.take(piece)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: self)
    }

    private func take(_ piece: ByteBuffer) -> ByteBuffer? {
        given.withLock { given in
            guard given < byteCount else { return nil }
            given += piece.readableBytes
            return piece
        }
    }
}
