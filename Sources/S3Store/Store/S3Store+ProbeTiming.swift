import Cryptography
import Logging
import NIOCore
import ObjectStore
import Synchronization
import TransferCommon

// When a store looks at a condition. Some look when a request begins, and then take the body for as long as it comes:
// an object that another writer puts there meanwhile is replaced all the same.

extension StoreProbe {
    /// Puts an object only if absent, and another one under its key while the body is on its way.
    ///
    /// - Returns: whether the store refuses the first one, or has the other one wait for it. What is not clear is no.
    func seesObjectThatComesDuringBody() async -> Bool {
        let late = "\(key)-late"
        let (first, last) = (ByteBuffer(repeating: 0x2E, count: Self.firstBytes), ByteBuffer(bytes: [0x2E]))
        // A library that made the probe's other digests makes these; without them nothing is known of the store.
        guard let digests = try? Self.digests(first, last) else { return false }
        let rival = Rival()
        let bytes = InterruptedBytes(first: first, last: last) { [store, metadata] in
            // The store has to have the request's head before the other object is there.
            try await Task.sleep(for: Self.headTime)
            await rival.put(waitingAtMost: Self.rivalTime) {
                let body = ObjectBody(buffers: [last], digest: digests.last)
                _ = try await store.putObject(at: late, body: body, metadata: metadata, condition: .none)
            }
        }
        let body = ObjectBody(byteCount: UInt64(Self.firstBytes + 1), digest: digests.whole, bytes: bytes)
        var isSafe = false
        do {
            _ = try await store.putObject(at: late, body: body, metadata: metadata, condition: .ifAbsent)
            isSafe = rival.hadToWait
        } catch {
            isSafe = error.reason == .alreadyExists || error.reason == .conflict
        }
        await rival.end()
        do {
            try await store.delete(key: late)
        } catch {
            // It is found by its place, as the probe's other object is.
            store.logger.debug(
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

    /// More than a body that is sent only when it is whole.
    private static let firstBytes = 96 << 10
    private static let headTime = Duration.milliseconds(200)
    /// A store that has one request for a key wait for another would otherwise have both wait for ever.
    private static let rivalTime = Duration.seconds(5)
}

/// A request that is made while another one for the same key is under way.
private final class Rival: Sendable {
    private struct State {
        var task: Task<Void, Never>?
        var hasEnded = false
        var hadToWait = false
    }

    private let state = Mutex(State())

    /// Whether the request was still without an answer when the time was over.
    var hadToWait: Bool { state.withLock { $0.hadToWait } }

    /// Makes the request, and returns when it has been answered or the time is over.
    func put(waitingAtMost time: Duration, _ request: @escaping @Sendable () async throws -> Void) async {
        let task = Task {
            // Whether the store took it shows in what becomes of the other request.
            _ = try? await request()
            state.withLock { $0.hasEnded = true }
        }
        state.withLock { $0.task = task }
        let end = ContinuousClock.now + time
        while !state.withLock({ $0.hasEnded }), ContinuousClock.now < end {
            // Cancelled while asleep: the other request ends, too.
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return }
        }
        state.withLock { $0.hadToWait = !$0.hasEnded }
    }

    /// Waits for the request's end.
    func end() async {
        await state.withLock { $0.task }?.value
    }
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
