import Cryptography
import Logging
import NIOCore
import ObjectStore
import Synchronization
import TransferCommon

// Finds out when a store checks the condition of a write. Some stores check it only when the request begins. If another
// writer stores an object under the key while the body is being sent, such a store replaces that object in spite of the
// condition.

extension StoreProbe {
    /// Writes an object under the condition that the key has none. While its body is being sent, writes another object
    /// under the same key.
    ///
    /// - Parameter late: a whole key in the folder of the probes, under which nothing has been written before.
    /// - Returns: whether the condition protects the second object: the store refuses the first write, or it delays the
    ///   second write until the first is done. `nil` if the first write failed for a reason that may pass.
    func seesObjectThatComesDuringBody(at late: String) async -> Bool? {
        let (first, last) = (ByteBuffer(repeating: 0x2E, count: Self.firstBytes), ByteBuffer(bytes: [0x2E]))
        // try?: the library has just computed the probe's other digests. If it fails here, assume that the condition
        // protects nothing.
        guard let digests = try? Self.digests(first, last) else { return false }
        let (bucket, metadata) = (plainBucket, metadata)
        let rival = Rival()
        let bytes = InterruptedBytes(first: first, last: last) {
            // Give the store time to receive the head of the first request before the second object is written.
            try await Task.sleep(for: Self.headTime)
            await rival.put(waitingAtMost: Self.rivalTime) {
                let body = ObjectBody(buffers: [last], digest: digests.last)
                _ = try await bucket.put(at: late, body: body, metadata: metadata, condition: .none)
            }
        }
        let body = ObjectBody(byteCount: UInt64(Self.firstBytes + 1), digest: digests.whole, bytes: bytes)
        var isSafe: Bool? = false
        do {
            _ = try await bucket.put(at: late, body: body, metadata: metadata, condition: .ifAbsent)
            isSafe = rival.hadToWait
        } catch {
            isSafe = error.mayPass ? nil : error.reason == .keyTaken || error.reason == .conflict
        }
        await rival.end()
        do {
            try await bucket.delete(key: late)
        } catch {
            // `removeProbes` later finds this object, because it is in the folder of the probes.
            bucket.logger.debug(
                "The store's probe could not be removed", metadata: ["store.error": "\(error.shortDescription)"])
        }
        return isSafe
    }

    /// The bucket for the two writes of `seesObjectThatComesDuringBody`. It does not compare ETags with MD5s, because
    /// after a difference it would read the object back. If the bucket keeps versions, a deletion also tries to remove
    /// the versions.
    private var plainBucket: S3Bucket {
        var bucket = bucket
        bucket.provider.tellsPartMD5 = false
        bucket.provider.deletesVersions = findings.keepsVersions
        return bucket
    }

    private static func digests(
        _ first: ByteBuffer, _ last: ByteBuffer
    ) throws(CryptographyError) -> (whole: SHA256Digest, last: SHA256Digest) {
        var hasher = try SHA256Hasher()
        hasher.update(first)
        hasher.update(last)
        return (try hasher.finalize(), try SHA256Digest.of(last.readableBytesView))
    }

    /// Size of the first body's first piece. It is above `BodyRequest.wholeBytesMax`, so the body is sent while it
    /// arrives.
    private static let firstBytes = 96 << 10
    private static let headTime = Duration.milliseconds(200)
    /// Time limit for the second write. A store may delay the second write until the first is done, and the first waits
    /// for the second. Without the limit neither would end.
    private static let rivalTime = Duration.seconds(5)
}

/// The second write to the key. It runs while the first write is under way.
private final class Rival: Sendable {
    private struct State {
        var task: Task<Void, Never>?
        var hasEnded = false
        var hadToWait = false
    }

    private let state = Mutex(State())

    /// Whether this write had no answer yet when its time limit ended.
    var hadToWait: Bool { state.withLock { $0.hadToWait } }

    /// Returns when the store has answered or the time limit has passed; in the latter case the request keeps running.
    func put(waitingAtMost time: Duration, _ request: @escaping @Sendable () async throws -> Void) async {
        let task = Task {
            // try?: the outcome of the first write shows what the store did with this one.
            _ = try? await request()
            state.withLock { $0.hasEnded = true }
        }
        state.withLock { $0.task = task }
        let end = ContinuousClock.now + time
        while !state.withLock({ $0.hasEnded }), ContinuousClock.now < end {
            // try?: the sleep fails only if the task is cancelled, and the first write then ends, too.
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return }
        }
        state.withLock { $0.hadToWait = !$0.hasEnded }
    }

    func end() async {
        await state.withLock { $0.task }?.value
    }
}

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
