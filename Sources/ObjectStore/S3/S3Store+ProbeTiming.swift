import Logging
import NIOCore
import SecureChannel
import WireProtocol

// When a store looks at a condition. Some look when a request begins, and then take the body for as long as it comes:
// an object that another writer puts there meanwhile is replaced all the same.

extension StoreProbe {
    /// Puts an object only if absent, and another one under its key while the body is on its way.
    ///
    /// - Returns: whether the store refuses the first one.
    func seesObjectThatComesDuringBody() async throws(StoreError) -> Bool {
        let late = "\(key)-late"
        let (first, last) = (ByteBuffer(repeating: 0x2E, count: Self.firstBytes), ByteBuffer(bytes: [0x2E]))
        let digests: (whole: SHA256Digest, other: SHA256Digest)
        do {
            var hasher = try SHA256Hasher()
            hasher.update(first)
            hasher.update(last)
            digests = (try hasher.finalize(), try SHA256Digest.of(last.readableBytesView))
        } catch {
            throw StoreError(.unavailable, "The cryptographic library failed.", cause: error)
        }
        let bytes = InterruptedBytes(first: first, last: last) { [store, metadata] in
            // The store has to have the request's head before the other object is there.
            try await Task.sleep(for: Self.headTime)
            let body = ObjectBody(buffers: [last], digest: digests.other)
            _ = try await store.putObject(at: late, body: body, metadata: metadata, condition: .none)
        }
        let body = ObjectBody(byteCount: UInt64(Self.firstBytes + 1), digest: digests.whole, bytes: bytes)
        let result: Result<Bool, StoreError>
        do {
            _ = try await store.putObject(at: late, body: body, metadata: metadata, condition: .ifAbsent)
            result = .success(false)
        } catch {
            let isRefused = error.reason == .alreadyExists || error.reason == .conflict
            result = isRefused ? .success(true) : .failure(error)
        }
        do {
            try await store.delete(key: late)
        } catch {
            // It is found by its place, as the probe's other object is.
            store.logger.debug(
                "The store's probe could not be removed", metadata: ["store.error": "\(error.shortDescription)"])
        }
        return try result.get()
    }

    /// More than a body that is sent only when it is whole.
    private static let firstBytes = 96 << 10
    private static let headTime = Duration.milliseconds(200)
}

/// Bytes of which the last come after something else has happened.
private struct InterruptedBytes: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Failure = any Error

    let first: ByteBuffer
    let last: ByteBuffer
    let between: @Sendable () async throws -> Void

    struct AsyncIterator: AsyncIteratorProtocol {
        let bytes: InterruptedBytes
        var count = 0

        mutating func next() async throws -> ByteBuffer? {
            count += 1
            switch count {
            case 1: return bytes.first
            case 2:
                try await bytes.between()
                return bytes.last
            default: return nil
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(bytes: self)
    }
}
