import NIOCore
import Synchronization

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
        case offered(ByteBuffer, CheckedContinuation<Bool, Never>)
        case awaited(CheckedContinuation<ByteBuffer?, any Error>)
        case ended((any Error)?)
        case closed
    }

    /// Thrown to a consumer that nobody waits for any more.
    struct Closed: Error {}

    private let state = Mutex(State.idle)
    private let hasBegun = Mutex(false)

    /// The consumer has asked for a buffer, so something of the request may have gone out.
    var isBegun: Bool { hasBegun.withLock { $0 } }

    /// Called by the producer only, one at a time.
    ///
    /// - Returns: whether the buffer was taken. Otherwise nobody wants any more.
    func offer(_ buffer: ByteBuffer) async -> Bool {
        await withCheckedContinuation { continuation in
            let consumer: CheckedContinuation<ByteBuffer?, any Error>?
            let answer: Bool?
            (consumer, answer) = state.withLock { state in
                switch state {
                case .idle:
                    state = .offered(buffer, continuation)
                    return (nil, nil)
                case .awaited(let consumer):
                    state = .idle
                    return (consumer, true)
                case .offered, .ended, .closed:
                    return (nil, false)
                }
            }
            consumer?.resume(returning: buffer)
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

    /// Called by whoever gave up on the request or has its answer. Lets both sides go.
    func close() {
        let consumer: CheckedContinuation<ByteBuffer?, any Error>?
        let producer: CheckedContinuation<Bool, Never>?
        (consumer, producer) = state.withLock { state in
            defer { state = .closed }
            return switch state {
            case .awaited(let consumer): (consumer, nil)
            case .offered(_, let producer): (nil, producer)
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
                case failure(any Error)
            }
            let answer: Answer? = state.withLock { state in
                switch state {
                case .idle:
                    state = .awaited(continuation)
                    return nil
                case .offered(let buffer, let producer):
                    state = .idle
                    return .buffer(buffer, producer)
                case .ended(let error):
                    return error.map { .failure($0) } ?? .buffer(nil, nil)
                case .awaited, .closed:
                    return .failure(Closed())
                }
            }
            switch answer {
            case .buffer(let buffer, let producer):
                continuation.resume(returning: buffer)
                producer?.resume(returning: true)
            case .failure(let error): continuation.resume(throwing: error)
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
