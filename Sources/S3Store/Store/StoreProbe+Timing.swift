import Cryptography
import Logging
import NIOCore
import ObjectStore
import Synchronization
import TransferCommon

// Finds out when a store checks a condition. Some stores check it when a request begins, and then read the body for an
// unlimited time. Such a store replaces an object that another writer stores in between.

extension StoreProbe {
    /// Writes an object under the condition *absent*, and another one under the same key while the first body is
    /// being sent.
    ///
    /// - Returns: whether the store refuses the first write or delays the other one until it is done; `false` if the
    ///   outcome is unclear.
    func seesObjectThatComesDuringBody() async -> Bool {
        let late = "\(key)-late"
        let (first, last) = (ByteBuffer(repeating: 0x2E, count: Self.firstBytes), ByteBuffer(bytes: [0x2E]))
        // try?: the library computed the probe's other digests; if it fails here, the result is unclear.
        guard let digests = try? Self.digests(first, last) else { return false }
        let rival = Rival()
        let bytes = InterruptedBytes(first: first, last: last) { [bucket, metadata] in
            // Give the store time to receive the request's head before the other object is written.
            try await Task.sleep(for: Self.headTime)
            await rival.put(waitingAtMost: Self.rivalTime) {
                let body = ObjectBody(buffers: [last], digest: digests.last)
                _ = try await bucket.put(at: late, body: body, metadata: metadata, condition: .none)
            }
        }
        let body = ObjectBody(byteCount: UInt64(Self.firstBytes + 1), digest: digests.whole, bytes: bytes)
        var isSafe = false
        do {
            _ = try await bucket.put(at: late, body: body, metadata: metadata, condition: .ifAbsent)
            isSafe = rival.hadToWait
        } catch {
            isSafe = error.reason == .alreadyExists || error.reason == .conflict
        }
        await rival.end()
        do {
            try await bucket.delete(key: late)
        } catch {
            // `removeProbes` finds the object later by its folder.
            bucket.logger.debug(
                "The store's probe could not be removed", metadata: ["store.error": "\(error.shortDescription)"])
        }
        return isSafe
    }

    private static func digests(
        _ first: ByteBuffer, _ last: ByteBuffer
    ) throws(CryptographyError) -> (whole: SHA256Digest, last: SHA256Digest) {
        var hasher = try SHA256Hasher()
        hasher.update(first)
        hasher.update(last)
        return (try hasher.finalize(), try SHA256Digest.of(last.readableBytesView))
    }

    /// Size of the first body: larger than any body that the client collects before it sends it.
    private static let firstBytes = 96 << 10
    private static let headTime = Duration.milliseconds(200)
    /// Time limit for the other write. Without this limit, a store that makes the other write wait for the first one
    /// would block both.
    private static let rivalTime = Duration.seconds(5)
}

/// A request that runs while another one for the same key is under way.
private final class Rival: Sendable {
    private struct State {
        var task: Task<Void, Never>?
        var hasEnded = false
        var hadToWait = false
    }

    private let state = Mutex(State())

    /// Whether the request had no answer when its time limit ended.
    var hadToWait: Bool { state.withLock { $0.hadToWait } }

    /// Sends the request; returns when it is answered or the time limit ends.
    func put(waitingAtMost time: Duration, _ request: @escaping @Sendable () async throws -> Void) async {
        let task = Task {
            // try?: only the outcome of the first request matters: it shows whether the store accepted this one.
            _ = try? await request()
            state.withLock { $0.hasEnded = true }
        }
        state.withLock { $0.task = task }
        let end = ContinuousClock.now + time
        while !state.withLock({ $0.hasEnded }), ContinuousClock.now < end {
            // try?: after a cancellation the other request ends too.
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return }
        }
        state.withLock { $0.hadToWait = !$0.hasEnded }
    }

    /// Waits until the request has ended.
    func end() async {
        await state.withLock { $0.task }?.value
    }
}

/// A body whose last bytes follow after `between` has run.
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
