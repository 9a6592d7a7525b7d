import NIOCore
import Synchronization
import TransferCommon

/// Passes buffers one at a time from the task that has them to the HTTP client, which asks for them in a task of its
/// own that nobody can cancel. The producer waits until its buffer is taken, so no more than one is ever in here.
///
/// | state    | `offer`            | `next`              | `finish`, `fail` | `close`                 |
/// |----------|--------------------|---------------------|------------------|-------------------------|
/// | idle     | waits: offered     | waits: awaited      | ended            | closed                  |
/// | offered  | (one producer)     | takes it: idle      | (producer waits) | refuses it: closed      |
/// | awaited  | hands it over: idle | (one consumer)     | tells it: ended  | throws to it: closed    |
/// | ended    | refused            | end or error        | nothing          | closed                  |
/// | closed   | refused            | throws              | nothing          | nothing                 |
final class BufferHandoff: Sendable {
    private enum State {
        case idle
        case offered(ByteBuffer, Commitment?, CheckedContinuation<Bool, Never>)
        case awaited(CheckedContinuation<ByteBuffer?, any Error>)
        case ended((any Error)?)
        case closed
    }

    /// Thrown to a consumer that nobody waits for any more.
    struct Closed: Error {}

    private let state = Mutex(State.idle)
    private let hasBegun = Mutex(false)
    /// Since when the present buffer has been waiting to be taken.
    private let waitingSince = Mutex<ContinuousClock.Instant?>(nil)

    /// The consumer has asked for a buffer, so something of the request may have gone out.
    var isBegun: Bool { hasBegun.withLock { $0 } }

    /// Called by the producer only, one at a time.
    ///
    /// - Parameter commitment: with the last buffer: made in the moment in which it is taken, which it prevents where
    ///   the call has been cancelled before.
    /// - Returns: whether the buffer was taken. Otherwise nobody wants any more.
    func offer(_ buffer: ByteBuffer, committing commitment: Commitment? = nil) async -> Bool {
        await withCheckedContinuation { continuation in
            let consumer: CheckedContinuation<ByteBuffer?, any Error>?
            let answer: Bool?
            (consumer, answer) = state.withLock { state in
                switch state {
                case .idle:
                    state = .offered(buffer, commitment, continuation)
                    waitingSince.withLock { $0 = .now }
                    return (nil, nil)
                case .awaited(let consumer):
                    let mayGo = commitment?.commit() ?? true
                    state = mayGo ? .idle : .closed
                    return (consumer, mayGo)
                case .offered, .ended, .closed:
                    return (nil, false)
                }
            }
            if answer == true { consumer?.resume(returning: buffer) } else { consumer?.resume(throwing: Closed()) }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Called by the producer after its last buffer.
    func finish() {
        end(nil)
    }

    /// Called by the producer where there will not be enough buffers: the request breaks off.
    func fail(_ error: any Error) {
        end(error)
    }

    private func end(_ error: (any Error)?) {
        let consumer: CheckedContinuation<ByteBuffer?, any Error>? = state.withLock { state in
            switch state {
            case .idle:
                state = .ended(error)
                return nil
            case .awaited(let consumer):
                state = .ended(error)
                return consumer
            case .offered, .ended, .closed:
                return nil
            }
        }
        if let error { consumer?.resume(throwing: error) } else { consumer?.resume(returning: nil) }
    }

    /// Returns when a buffer has been waiting for so long, or when the task is cancelled.
    ///
    /// - Returns: whether it was the buffer.
    func waitForStall(of limit: Duration) async -> Bool {
        while !Task.isCancelled {
            if let since = waitingSince.withLock({ $0 }), since.duration(to: .now) >= limit { return true }
            // Cancelled, it returns at once, and that is looked at above.
            try? await Task.sleep(for: limit / 4)
        }
        return false
    }

    /// Called by the side that gave up on the request or has its answer. Releases both sides from waiting.
    func close() {
        let consumer: CheckedContinuation<ByteBuffer?, any Error>?
        let producer: CheckedContinuation<Bool, Never>?
        (consumer, producer) = state.withLock { state in
            defer { state = .closed }
            return switch state {
            case .awaited(let consumer): (consumer, nil)
            case .offered(_, _, let producer): (nil, producer)
            case .idle, .ended, .closed: (nil, nil)
            }
        }
        consumer?.resume(throwing: Closed())
        producer?.resume(returning: false)
    }

    /// Called by the consumer only, one at a time.
    fileprivate func next() async throws -> ByteBuffer? {
        hasBegun.withLock { $0 = true }
        return try await withCheckedThrowingContinuation { continuation in
            enum Answer {
                case buffer(ByteBuffer?, CheckedContinuation<Bool, Never>?)
                case failure(any Error, CheckedContinuation<Bool, Never>?)
            }
            let answer: Answer? = state.withLock { state in
                switch state {
                case .idle:
                    state = .awaited(continuation)
                    return nil
                case .offered(let buffer, let commitment, let producer):
                    let mayGo = commitment?.commit() ?? true
                    state = mayGo ? .idle : .closed
                    waitingSince.withLock { $0 = nil }
                    return mayGo ? .buffer(buffer, producer) : .failure(Closed(), producer)
                case .ended(let error):
                    return error.map { .failure($0, nil) } ?? .buffer(nil, nil)
                case .awaited, .closed:
                    return .failure(Closed(), nil)
                }
            }
            switch answer {
            case .buffer(let buffer, let producer):
                continuation.resume(returning: buffer)
                producer?.resume(returning: true)
            case .failure(let error, let producer):
                continuation.resume(throwing: error)
                producer?.resume(returning: false)
            case nil: break
            }
        }
    }
}

extension BufferHandoff: AsyncSequence {
    typealias Element = ByteBuffer

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let handoff: BufferHandoff

        mutating func next() async throws -> ByteBuffer? {
            try await handoff.next()
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(handoff: self)
    }
}
