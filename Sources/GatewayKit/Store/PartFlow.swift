package import NIOCore
import Synchronization

/// The bytes of one part, on their way from a connection to the store request that stores them.
///
/// The connection's event loop appends bytes, and one consumer, the store request, takes them. Credit limits how many
/// bytes the agent may send: the flow reports the bytes that the consumer has finished with as *consumed*, and the
/// machine then grants the agent more credit. A flow that holds its last piece gives this piece to the consumer only
/// after `release` (specification §9.2), so the store cannot complete the request earlier.
package final class PartFlow: Sendable {
    /// The error that a consumer gets from a flow that was dropped before its end.
    package struct Dropped: Error {}

    fileprivate struct State {
        var pieces = CircularBuffer<ByteBuffer>()
        /// Copies of small pieces, joined in one buffer. In the part, these bytes follow the bytes in `pieces`.
        var gathered = ByteBuffer()
        var bytesAppended: UInt64 = 0
        /// Bytes given to the consumer. When the consumer asks for the next piece, it has finished with all of them.
        var bytesGiven: UInt64 = 0
        var isReleased: Bool
        var isDropped = false
        var waiting: CheckedContinuation<ByteBuffer?, any Error>?
    }

    private enum Answer {
        case wait
        case piece(ByteBuffer)
        case end
        case failure
    }

    package let size: UInt64
    private let state: Mutex<State>
    private let reportConsumed: @Sendable (UInt64) -> Void

    /// - Parameters:
    ///   - size: size of the part in uncompressed bytes.
    ///   - holdsLast: whether the last piece waits for `release`.
    ///   - reportConsumed: called by the consumer's task with the number of bytes consumed since the start of the part.
    package init(size: UInt64, holdsLast: Bool, reportConsumed: @escaping @Sendable (UInt64) -> Void) {
        self.size = size
        self.state = Mutex(State(isReleased: !holdsLast))
        self.reportConsumed = reportConsumed
    }

    /// Appends the next uncompressed bytes. Call on the connection's event loop, with at most `size` bytes in total.
    package func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        change { state in
            state.append(bytes)
            state.bytesAppended += UInt64(bytes.readableBytes)
        }
    }

    /// Lets the consumer take the last piece. Called when the agent's COMPLETE has arrived.
    package func release() {
        change { $0.isReleased = true }
    }

    /// Ends the flow early: a consumer that has not received the end yet gets `Dropped` as an error.
    package func drop() {
        change { state in
            state.isDropped = true
            state.pieces.removeAll()
            state.gathered = ByteBuffer()
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let (continuation, answer) = state.withLock { state in
            body(&state)
            guard let waiting = state.waiting else {
                return (CheckedContinuation<ByteBuffer?, any Error>?.none, Answer.wait)
            }
            let answer = Self.answer(&state, size: size)
            if case .wait = answer { return (nil, .wait) }
            state.waiting = nil
            return (waiting, answer)
        }
        // Resume outside the lock, because the consumer may run immediately.
        if let continuation { Self.resume(continuation, answer) }
    }

    private static func answer(_ state: inout State, size: UInt64) -> Answer {
        if state.isDropped { return .failure }
        if let piece = state.firstPiece {
            let isLast = state.bytesGiven + UInt64(piece.readableBytes) == size
            guard state.isReleased || !isLast else { return .wait }
            state.removeFirstPiece()
            state.bytesGiven += UInt64(piece.readableBytes)
            return .piece(piece)
        }
        return state.bytesGiven == size && state.isReleased ? .end : .wait
    }

    private static func resume(_ continuation: CheckedContinuation<ByteBuffer?, any Error>, _ answer: Answer) {
        switch answer {
        case .wait: break
        case .piece(let piece): continuation.resume(returning: piece)
        case .end: continuation.resume(returning: nil)
        case .failure: continuation.resume(throwing: Dropped())
        }
    }

    fileprivate func next() async throws -> ByteBuffer? {
        let consumed = state.withLock { $0.bytesGiven }
        if consumed > 0 { reportConsumed(consumed) }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLock { state in
                    let answer = Self.answer(&state, size: size)
                    if case .wait = answer { state.waiting = continuation }
                    return answer
                }
                Self.resume(continuation, answer)
            }
        } onCancel: {
            drop()
        }
    }
}

extension PartFlow.State {
    private static var gatheredBytesMax: Int { 64 << 10 }

    /// A slice of a `ByteBuffer` keeps the whole storage alive, even if the slice is much smaller. A piece smaller than
    /// half of its storage is therefore copied: a part then uses at most twice its credit in memory, however its bytes
    /// were split.
    fileprivate mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes < bytes.storageCapacity / 2 else {
            if gathered.readableBytes > 0 { pieces.append(gathered) }
            gathered = ByteBuffer()
            return pieces.append(bytes)
        }
        if gathered.readableBytes > 0, gathered.readableBytes + bytes.readableBytes > Self.gatheredBytesMax {
            pieces.append(gathered)
            gathered = ByteBuffer()
        }
        gathered.writeImmutableBuffer(bytes)
    }

    fileprivate var firstPiece: ByteBuffer? {
        pieces.first ?? (gathered.readableBytes > 0 ? gathered : nil)
    }

    fileprivate mutating func removeFirstPiece() {
        if pieces.popFirst() == nil { gathered = ByteBuffer() }
    }
}

extension PartFlow: AsyncSequence {
    package typealias Element = ByteBuffer
    package typealias Failure = any Error

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let flow: PartFlow

        package mutating func next() async throws -> ByteBuffer? { try await flow.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(flow: self) }
}
