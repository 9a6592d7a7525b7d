import GatewayKit
import NIOCore
import Synchronization
import TestSupport
import Testing

/// Tests of the flow of a part's bytes from a connection to the store.
@Suite(.timeLimit(.minutes(5)))
struct PartFlowTests {
    private func flow(size: UInt64, holdsLast: Bool = false) -> (flow: PartFlow, consumed: Watched<[UInt64]>) {
        let consumed = Watched([UInt64]())
        let flow = PartFlow(size: size, holdsLast: holdsLast) { total in consumed.update { $0.append(total) } }
        return (flow, consumed)
    }

    private func collect(_ flow: PartFlow) async throws -> String {
        var text = ""
        for try await piece in flow { text += String(buffer: piece) }
        return text
    }

    @Test func yieldsAppendedBytesUpToItsSize() async throws {
        let (flow, consumed) = flow(size: 6)
        async let text = collect(flow)
        flow.append(ByteBuffer(string: "abc"))
        flow.append(ByteBuffer(string: "def"))
        #expect(try await text == "abcdef")
        #expect(consumed.current.last == 6)
    }

    /// Each chunk may have a large buffer of its own, or be a slice of one. The flow must not keep these buffers.
    @Test(arguments: [1, 100, 10_000, 200_000])
    func smallPiecesWeighLittle(chunkBytes: Int) async throws {
        let size = min(400_000, 4_000 * chunkBytes)
        let (flow, _) = flow(size: UInt64(size))
        var expected = ByteBuffer()
        for number in 0..<size / chunkBytes {
            var read = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 256 << 10)
            guard let chunk = read.readSlice(length: chunkBytes) else { continue }
            expected.writeImmutableBuffer(chunk)
            flow.append(chunk)
        }
        var collected = ByteBuffer()
        var heldBytes = 0
        var pieces = 0
        for try await piece in flow {
            heldBytes += piece.storageCapacity
            pieces += 1
            collected.writeImmutableBuffer(piece)
        }
        #expect(collected == expected)
        #expect(heldBytes <= 2 * size + (64 << 10))
        #expect(pieces <= size / (32 << 10) + 1)
    }

    @Test func reportsOnlyFinishedBytesAsConsumed() async throws {
        let (flow, consumed) = flow(size: 6)
        flow.append(ByteBuffer(string: "abc"))
        flow.append(ByteBuffer(string: "def"))
        var iterator = flow.makeAsyncIterator()
        #expect(try await iterator.next() == ByteBuffer(string: "abc"))
        #expect(consumed.current == [])
        #expect(try await iterator.next() == ByteBuffer(string: "def"))
        #expect(consumed.current == [3])
    }

    @Test func holdsTheLastPieceBackUntilItIsReleased() async throws {
        let (flow, _) = flow(size: 6, holdsLast: true)
        flow.append(ByteBuffer(string: "abc"))
        flow.append(ByteBuffer(string: "def"))
        var iterator = flow.makeAsyncIterator()
        #expect(try await iterator.next() == ByteBuffer(string: "abc"))
        let last = Watched<ByteBuffer?>(nil)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                var iterator = flow.makeAsyncIterator()
                let piece = try await iterator.next()
                last.update { $0 = piece }
            }
            for _ in 0..<100 { await Task.yield() }
            #expect(last.current == nil)
            flow.release()
            try await tasks.waitForAll()
        }
        #expect(last.current == ByteBuffer(string: "def"))
    }

    @Test func anEmptyPartEndsOnlyWhenItIsReleased() async throws {
        let (flow, _) = flow(size: 0, holdsLast: true)
        async let text = collect(flow)
        for _ in 0..<100 { await Task.yield() }
        flow.release()
        #expect(try await text == "")
    }

    @Test func failsItsConsumerWhenItIsDropped() async throws {
        let (flow, _) = flow(size: 6)
        flow.append(ByteBuffer(string: "abc"))
        flow.drop()
        await #expect(throws: PartFlow.Dropped.self) { try await collect(flow) }
    }

    @Test func failsAConsumerThatIsCancelledWhileItWaits() async throws {
        let (flow, _) = flow(size: 6)
        let task = Task { try await collect(flow) }
        for _ in 0..<100 { await Task.yield() }
        task.cancel()
        await #expect(throws: PartFlow.Dropped.self) { try await task.value }
    }
}
