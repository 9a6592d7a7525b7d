import Cryptography
import Logging
import NIOCore
import ObjectStore
import S3Servers
import S3Store
import Testing
import TransferCommon
import WireProtocol

/// Opens a store on a server and always shuts it down.
func withStore<Success>(
    on server: S3Server, verification: PartVerification = .auto, prefix: String = "site/",
    provider: S3Provider? = nil, authorities: S3Authorities? = nil, _ body: (S3Store) async throws -> Success
) async throws -> Success {
    let configuration = try S3Configuration(
        bucket: server.bucket, prefix: prefix, endpoint: server.endpoint, addressing: .path,
        verification: verification, provider: provider, authorities: authorities)
    let credentials = S3Credentials(accessKeyID: server.accessKeyID, secretAccessKey: server.secretAccessKey)
    let store = try await S3Store.open(
        configuration: configuration, credentials: FixedCredentials(credentials), logger: quietLogger)
    return try await shuttingDown(store, body)
}

/// Runs `body` with a store and always shuts it down.
func shuttingDown<Success>(
    _ store: S3Store, _ body: (S3Store) async throws -> Success
) async throws -> Success {
    let result: Result<Success, any Error>
    do {
        result = .success(try await body(store))
    } catch {
        result = .failure(error)
    }
    await store.shutdown()
    return try result.get()
}

let quietLogger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

/// Credentials for servers that do not check them.
let anyCredentials = FixedCredentials(S3Credentials(accessKeyID: "id", secretAccessKey: "secret"))

/// Metadata with a new session id.
func sampleMetadata(partBytes: UInt64 = 5 << 20) -> ObjectMetadata {
    var generator = SystemRandomNumberGenerator()
    return ObjectMetadata(
        session: SessionID.random(using: &generator), partBytes: partBytes,
        modification: ModificationTime(seconds: 1_700_000_000, nanoseconds: 5))
}

/// A body of buffers with these sizes.
///
/// - Parameter digest: `nil` for the correct digest.
func body(of sizes: [Int], digest: SHA256Digest? = nil) throws -> ObjectBody {
    let buffers = sizes.map { ByteBuffer(repeating: 0x61, count: $0) }
    let right = try SHA256Digest.of([UInt8](repeating: 0x61, count: sizes.reduce(0, +)))
    return ObjectBody(buffers: buffers, digest: digest ?? right)
}

/// Expects a `StoreError` with this reason.
func expect<Value>(
    throwing reason: StoreError.Reason, sourceLocation: SourceLocation = #_sourceLocation,
    _ call: () async throws -> Value
) async {
    do {
        let value = try await call()
        Issue.record("expected \(reason), got \(value)", sourceLocation: sourceLocation)
    } catch let error as StoreError {
        #expect(error.reason == reason, "\(String(reflecting: error))", sourceLocation: sourceLocation)
    } catch {
        Issue.record("expected \(reason), got \(error)", sourceLocation: sourceLocation)
    }
}

/// A source that gives one buffer, waits for a signal, and gives a last one.
final class GatedSource: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let first: ByteBuffer
    private let taken = AsyncStream.makeStream(of: Void.self)
    private let rest = AsyncStream.makeStream(of: ByteBuffer.self)

    init(first: ByteBuffer) {
        self.first = first
    }

    /// Returns when the consumer asks for a second buffer.
    func waitUntilFirstIsTaken() async {
        for await _ in taken.stream {}
    }

    func finish(with last: ByteBuffer) {
        rest.continuation.yield(last)
        rest.continuation.finish()
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let source: GatedSource
        fileprivate var isFirstGiven = false
        fileprivate var rest: AsyncStream<ByteBuffer>.AsyncIterator

        mutating func next() async -> ByteBuffer? {
            await next(isolation: nil)
        }

        mutating func next(isolation actor: isolated (any Actor)?) async -> ByteBuffer? {
            guard isFirstGiven else {
                isFirstGiven = true
                return source.first
            }
            source.taken.continuation.finish()
            return await rest.next(isolation: actor)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: self, rest: rest.stream.makeAsyncIterator())
    }
}
