import NIOCore
import Testing
import TransferCommon
import WireProtocol

/// The decoder passes PART DATA on without a copy and holds no network buffer while it waits.
@Suite struct FrameDecoderPayloadTests {
    private static let payload = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }

    @Test func payloadIsSlicesOfWhatWasAppended() throws {
        let frame = try dataFrame(payload: Self.payload)
        for cut in [0, 1, 7, 8, 9, 23, 24, 25, 500, frame.count] {
            let pieces = [ByteBuffer(bytes: frame[..<cut]), ByteBuffer(bytes: frame[cut...])]
            let regions = pieces.map { $0.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } }
            var decoder = FrameDecoder(receiver: .gateway)
            for piece in pieces { decoder.append(piece) }
            var payload: [UInt8] = []
            while let inbound = try decoder.next() {
                guard case .dataBytes(let slice) = inbound else { continue }
                let start = slice.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
                let isInside = zip(pieces, regions).contains { piece, region in
                    start >= region && start + UInt(slice.readableBytes) <= region + UInt(piece.readableBytes)
                }
                #expect(isInside, "copied, cut at \(cut)")
                payload += slice.readableBytesView
            }
            #expect(payload == Self.payload)
        }
    }

    @Test func dataIsDeliveredBeforeItIsComplete() throws {
        let frame = try dataFrame(payload: Self.payload)
        var decoder = FrameDecoder(receiver: .gateway)
        decoder.append(ByteBuffer(bytes: frame[..<24]))
        guard case .dataBegan(Slot(1), let header) = try decoder.next() else {
            Issue.record("no beginning")
            return
        }
        #expect(header.payloadBytes == 1_000)
        #expect(try decoder.next() == nil)
        decoder.append(ByteBuffer(bytes: frame[24..<30]))
        #expect(try decoder.next() == .dataBytes(ByteBuffer(bytes: frame[24..<30])))
        #expect(try decoder.next() == nil)
        decoder.append(ByteBuffer(bytes: frame[30...]))
        #expect(try decoder.next() == .dataBytes(ByteBuffer(bytes: frame[30...])))
        #expect(try decoder.next() == .dataEnded)
        #expect(try decoder.next() == nil)
    }

    @Test func largestChunkPassesAndOneByteMoreDoesNot() throws {
        let largest = try dataFrame(payload: [UInt8](repeating: 1, count: 262_144))
        let outcome = Outcome(feeding: largest, receiver: .gateway)
        #expect(outcome.error == nil)
        #expect(outcome.inbound.last == .dataEnded)
        #expect(throws: WireError.badValue(type: .partData, field: "plainBytes")) {
            try dataFrame(payload: [UInt8](repeating: 1, count: 262_145))
        }
    }

    @Test func onlyTheBeginningOfAFrameIsHeld() throws {
        let entries = try (1...2_000).map { number in
            PartListEntry(part: try #require(PartNumber(number)), size: 1, digest: nil, etag: "e")
        }
        let page = try encoded(.partList(PartList(entries: entries, isLast: true)))
        let stream = page + (try dataFrame(payload: Self.payload)) + page
        var decoder = FrameDecoder(receiver: .gateway)
        var heldMax = 0
        for start in stride(from: 0, to: stream.count, by: 100) {
            decoder.append(ByteBuffer(bytes: stream[start..<min(start + 100, stream.count)]))
            while try decoder.next() != nil {}
            heldMax = max(heldMax, decoder.bufferedBytes)
        }
        #expect(decoder.bufferedBytes == 0)
        #expect(heldMax < page.count)
    }

    /// A decoder that waits for more bytes holds no reference to the network buffer. So a write to the buffer happens
    /// in place; a shared buffer would be copied first, and its address would change.
    @Test(arguments: [1, 7, 8, 9, 20, 30])
    func networkBufferIsFreeOnceTheDecoderWaits(count: Int) throws {
        var decoder = FrameDecoder(receiver: .gateway)
        let open = SessionOpen(
            session: SessionID(high: 1, low: 2),
            terms: SessionTerms(
                key: "key", size: 1, partBytes: 1, modification: ModificationTime(seconds: 0, nanoseconds: 0),
                condition: .absent),
            compares: true)
        var network = ByteBuffer(bytes: try encoded(.sessionOpen(open))[..<count])
        decoder.append(network)
        #expect(try decoder.next() == nil)
        let before = network.withUnsafeReadableBytes { $0.baseAddress }
        network.setInteger(0, at: 0, as: UInt8.self)
        #expect(network.withUnsafeReadableBytes { $0.baseAddress } == before)
        #expect(decoder.bufferedBytes == (count < 8 ? count : count - 8))
    }

    private func dataFrame(payload: [UInt8]) throws -> [UInt8] {
        let header = PartDataHeader(
            part: try #require(PartNumber(1)), offset: 0, plainBytes: UInt32(payload.count), isCompressed: false,
            payloadBytes: UInt32(payload.count))
        var buffer = ByteBuffer()
        try header.encode(slot: Slot(1), into: &buffer)
        return Array(buffer.readableBytesView) + payload
    }
}
