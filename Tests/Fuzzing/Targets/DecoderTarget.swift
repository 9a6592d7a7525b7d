import NIOCore
import WireProtocol

extension FuzzTarget {
    /// The frame decoder. The first byte of the input selects the receiving end, and whether bodies may only have the
    /// length that is allowed before HELLO. The second byte selects how the bytes are cut into pieces. The rest is the
    /// byte stream.
    package static let decoder = FuzzTarget(name: "decoder", inputBytesMax: 4_096) { input in
        guard input.count > 2 else { return }
        let receiver: Role = input[0] & 1 == 0 ? .gateway : .agent
        let bodyBytesMax = input[0] & 2 == 0 ? nil : WireLimits.bodyBytesBeforeHelloMax
        let stream = ByteBuffer(bytes: input[2...])
        var whole = DecoderRun(receiver: receiver, bodyBytesMax: bodyBytesMax)
        try whole.feed(stream)
        try whole.expectCanonical(stream, bodyBytesMax: bodyBytesMax ?? .max)
        var cut = DecoderRun(receiver: receiver, bodyBytesMax: bodyBytesMax)
        try cut.feed(stream, cutBy: input[1])
        try expect(cut.inbound == whole.inbound, "other frames when cut")
        try expect(cut.error == whole.error, "another error when cut: \(String(describing: cut.error))")
    } seeds: { vectors in
        var seeds: [String: [UInt8]] = [:]
        for (prefix, streams) in [("accepted", vectors.accepted), ("refused", vectors.refused)] {
            for stream in streams where stream.bytes.count <= 2_048 {
                for (isAgent, isMeant) in [(false, stream.isForGateway), (true, stream.isForAgent)] where isMeant {
                    let name = "\(prefix)-\(fileName(stream.kind))-\(isAgent ? "agent" : "gateway")"
                    let head = [isAgent ? 1 : 0, UInt8(truncatingIfNeeded: seeds.count)] as [UInt8]
                    // A refused frame ends the connection, so a seed holds only one refused frame of each kind.
                    if prefix == "refused", seeds[name] != nil { continue }
                    let known = seeds[name] ?? head
                    if known.count + stream.bytes.count <= 4_096 { seeds[name] = known + stream.bytes }
                }
            }
        }
        return seeds
    }
}

private struct DecoderRun {
    private var decoder: FrameDecoder
    private(set) var inbound: [Inbound] = []
    private(set) var error: WireError?
    /// `nil` outside the payload of a PART DATA frame.
    private var payloadBytesLeft: Int?

    init(receiver: Role, bodyBytesMax: Int?) {
        decoder = FrameDecoder(receiver: receiver)
        decoder.bodyBytesMax = bodyBytesMax
    }

    mutating func feed(_ bytes: ByteBuffer) throws(FuzzFinding) {
        decoder.append(bytes)
        try drain()
    }

    /// - Parameter seed: decides the sizes of the pieces.
    mutating func feed(_ bytes: ByteBuffer, cutBy seed: UInt8) throws(FuzzFinding) {
        var rest = bytes
        var state = UInt32(seed)
        var pieces = 0
        while rest.readableBytes > 0, error == nil {
            state = state &* 1_664_525 &+ 1_013_904_223
            let random = Int(state >> 24)
            // Only the first bytes are cut, so that a run takes only microseconds. The fuzzer varies where they are
            // cut.
            let count =
                switch pieces {
                case ..<4: random % 9 + 1
                case ..<28: seed & 7 == 0 ? 1 : random % 64 + 1
                default: rest.readableBytes
                }
            pieces += 1
            guard let piece = rest.readSlice(length: min(count, rest.readableBytes)) else { return }
            decoder.append(piece)
            try drain()
        }
    }

    private mutating func drain() throws(FuzzFinding) {
        while true {
            let next: Inbound?
            do throws(WireError) {
                next = try decoder.next()
            } catch {
                self.error = error
                try expect(decoder.bufferedBytes == 0, "bytes are kept after an error")
                return
            }
            guard let next else { break }
            try note(next)
        }
        let heldMax = WireLimits.headerBytes + FrameType.partList.bodyBytesMax
        try expect(decoder.bufferedBytes < heldMax, "\(decoder.bufferedBytes) bytes are held")
    }

    /// Joins adjacent pieces of a payload, because it does not matter where they are cut.
    private mutating func note(_ next: Inbound) throws(FuzzFinding) {
        switch next {
        case .frame:
            try expect(payloadBytesLeft == nil, "a frame within a payload")
        case .dataBegan(_, let header):
            try expect(payloadBytesLeft == nil, "a payload within a payload")
            try expect(header.plainBytes <= WireLimits.chunkBytesMax, "a chunk of \(header.plainBytes) bytes")
            try expect(header.payloadBytes <= header.plainBytes, "a payload longer than its chunk")
            payloadBytesLeft = Int(header.payloadBytes)
        case .dataBytes(let piece):
            guard let left = payloadBytesLeft else { throw FuzzFinding("a payload that did not begin") }
            try expect((1...max(left, 1)).contains(piece.readableBytes), "a piece of \(piece.readableBytes) bytes")
            payloadBytesLeft = left - piece.readableBytes
            if case .dataBytes(var joined) = inbound.last {
                // The buffer is removed from the list before bytes are appended to it. Otherwise each append would copy
                // it.
                inbound.removeLast()
                joined.writeImmutableBuffer(piece)
                return inbound.append(.dataBytes(joined))
            }
        case .dataEnded:
            try expect(payloadBytesLeft == 0, "a payload ended early")
            payloadBytesLeft = nil
        }
        inbound.append(next)
    }

    /// Checks that encoding the decoded frames gives the fed bytes, except for extension fields, which version 1 skips.
    ///
    /// - Parameter bodyBytesMax: the maximum length of a body of any type.
    func expectCanonical(_ stream: ByteBuffer, bodyBytesMax: Int) throws {
        var position = 0
        for next in inbound {
            switch next {
            case .frame(let slot, let frame):
                position = firstKnownFrame(stream, from: position)
                var again = ByteBuffer()
                try frame.encode(slot: slot, into: &again)
                let length = Int(stream.getInteger(at: position, as: UInt32.self) ?? 0)
                let bodyBytes = again.readableBytes - WireLimits.headerBytes
                try expect(length <= min(frame.type.bodyBytesMax, bodyBytesMax), "\(frame.type) of \(length) bytes")
                try expect(bodyBytes <= length, "\(frame.type) is longer when written again")
                try expectSame(again, stream, at: position, from: 4)
                position += WireLimits.headerBytes + length
            case .dataBegan(let slot, let header):
                position = firstKnownFrame(stream, from: position)
                var again = ByteBuffer()
                try header.encode(slot: slot, into: &again)
                try expectSame(again, stream, at: position, from: 0)
                position += again.readableBytes
            case .dataBytes(let payload):
                try expectSame(payload, stream, at: position, from: 0)
                position += payload.readableBytes
            case .dataEnded:
                break
            }
        }
    }

    /// The position after all frames of unknown types, which the decoder skips.
    private func firstKnownFrame(_ stream: ByteBuffer, from start: Int) -> Int {
        var position = start
        while let type = stream.getInteger(at: position + 4, as: UInt8.self), FrameType(rawValue: type) == nil {
            position += WireLimits.headerBytes + Int(stream.getInteger(at: position, as: UInt32.self) ?? 0)
        }
        return position
    }

    /// - Parameter offset: where the comparison begins. The first bytes of a frame contain its length, which differs if
    ///   the decoder skipped extension fields.
    private func expectSame(
        _ again: ByteBuffer, _ stream: ByteBuffer, at position: Int, from offset: Int
    ) throws(FuzzFinding) {
        let count = again.readableBytes - offset
        let same = again.getSlice(at: again.readerIndex + offset, length: count)
        try expect(
            same != nil && same == stream.getSlice(at: position + offset, length: count),
            "other bytes when written again, at \(position)")
    }
}
