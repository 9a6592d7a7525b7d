package import NIOCore
import Synchronization

/// The bytes of one part between a connection and a call to the store.
///
/// The connection's loop appends, one consumer iterates. How much may be appended is the machine's business (credit):
/// what the consumer has finished with is reported as *consumed*, and only then may more come. Where the flow holds its
/// last piece back, the consumer gets it only after `release` (specification §9.2).
package final class PartFlow: Sendable {
    /// Why a consumer gets no more: the flow was dropped before its end.
    package struct Dropped: Error {}

    fileprivate struct State {
        var pieces = CircularBuffer<ByteBuffer>()
        /// Small pieces behind these, copied together.
        var gathered = ByteBuffer()
        var bytesAppended: UInt64 = 0
        /// Bytes given to the consumer; those before its newest call are consumed.
        var bytesGiven: UInt64 = 0
        var isReleased: Bool
        var isDropped = false
        var waiting: CheckedContinuation<ByteBuffer?, any Error>?
        /// Of the consumer that waits, or did last.
        var waitingSince = ContinuousClock.now
    }

    /// What a call changes for a consumer that waits.
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
    ///   - size: plain bytes of the part.
    ///   - holdsLast: the last piece waits for `release`.
    ///   - reportConsumed: called from the consumer with the bytes that it has finished with, counted from the start.
    package init(size: UInt64, holdsLast: Bool, reportConsumed: @escaping @Sendable (UInt64) -> Void) {
        self.size = size
        self.state = Mutex(State(isReleased: !holdsLast))
        self.reportConsumed = reportConsumed
    }

    /// Called on the connection's loop with the next plain bytes; never more than `size` in all.
    package func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        change { state in
            state.append(bytes)
            state.bytesAppended += UInt64(bytes.readableBytes)
        }
    }

    /// COMPLETE is there: the last piece may go.
    package func release() {
        change { $0.isReleased = true }
    }

    /// No more will come: a consumer that is not at the end fails.
    package func drop() {
        change { state in
            state.isDropped = true
            state.pieces.removeAll()
            state.gathered = ByteBuffer()
        }
    }

    /// Drops the flow where its consumer has waited for so long.
    package func dropIfSilent(for limit: Duration) {
        let isSilent = state.withLock { $0.waiting != nil && $0.waitingSince.duration(to: .now) >= limit }
        if isSilent { drop() }
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
        // Resumed outside of the lock: the consumer runs on at once.
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
                    if case .wait = answer {
                        state.waiting = continuation
                        state.waitingSince = .now
                    }
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
    /// Copies are put together into pieces of at most this.
    private static var gatheredBytesMax: Int { 64 << 10 }

    /// A buffer keeps all the memory alive that it is a slice of, and weighs something itself. Where that is much more
    /// than its bytes it is copied: what a part holds stays within twice its credit, however it was cut.
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
