import NIOCore
import Synchronization
import TransferCommon

/// Passes buffers, one at a time, from the task that produces them to the HTTP client, which takes them in another
/// task. The task of the HTTP client cannot be cancelled, so `close` ends its wait. The producer waits until its buffer
/// is taken, so the handoff holds at most one buffer.
///
/// A cell of the table says what the call does and, after a colon, the next state. Parentheses contain the reason why
/// the call cannot happen in this state.
///
/// | state   | `offer`             | `next`             | `finish`, `fail` | `close`                |
/// |---------|---------------------|--------------------|------------------|------------------------|
/// | idle    | waits: offered      | waits: awaited     | done: ended      | done: closed           |
/// | offered | (one producer)      | takes buffer: idle | (producer waits) | refuses buffer: closed |
/// | awaited | passes buffer: idle | (one consumer)     | ends body: ended | throws: closed         |
/// | ended   | refused             | end or error       | no effect        | done: closed           |
/// | closed  | refused             | throws             | no effect        | no effect              |
final class BufferHandoff: Sendable {
    private enum State {
        case idle
        case offered(ByteBuffer, Commitment?, CheckedContinuation<Bool, Never>)
        case awaited(CheckedContinuation<ByteBuffer?, any Error>)
        case ended((any Error)?)
        case closed
    }

    /// The error that the HTTP client receives from `next` after `close`.
    struct Closed: Error {}

    private let state = Mutex(State.idle)
    private let hasBegun = Mutex(false)
    private let waitingSince = Mutex<ContinuousClock.Instant?>(nil)

    /// Whether the HTTP client has asked for a buffer. If so, it may have sent bytes of the request.
    var isBegun: Bool { hasBegun.withLock { $0 } }

    /// Offers a buffer and waits until it is taken. Only the producer calls this, one call at a time.
    ///
    /// - Parameter commitment: given with the last buffer, and committed at the moment at which the buffer is taken. If
    ///   the call to the store was cancelled before, the HTTP client does not get the buffer.
    /// - Returns: whether the buffer was taken; `false` if the request needs no more buffers.
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

    /// Ends the body. The producer calls this after its last buffer was taken.
    func finish() {
        end(nil)
    }

    /// Ends the request with an error. The producer calls this if it cannot supply the whole body.
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

    /// Returns when a buffer has waited for `limit`, or when the task is cancelled.
    ///
    /// - Returns: whether a buffer has waited for `limit`.
    func waitForStall(of limit: Duration) async -> Bool {
        while !Task.isCancelled {
            if let since = waitingSince.withLock({ $0 }), since.duration(to: .now) >= limit { return true }
            // try?: a cancelled sleep returns at once, and the loop's condition then ends the loop.
            try? await Task.sleep(for: limit / 4)
        }
        return false
    }

    /// Ends the wait of the producer and of the consumer. Called when the request has been answered or abandoned.
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

    /// The next buffer; `nil` at the end of the body. Only the consumer calls this, one call at a time.
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
