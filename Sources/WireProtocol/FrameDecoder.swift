package import NIOCore

/// What a decoder makes of the bytes that arrive. After `dataBegan` come only `dataBytes`, until `dataEnded`.
package enum Inbound: Equatable, Sendable {
    case frame(Slot, Frame)
    /// A PART DATA begins; exactly `payloadBytes` of payload follow.
    case dataBegan(Slot, PartDataHeader)
    /// The next piece of the payload, a slice of what was appended; never empty.
    case dataBytes(ByteBuffer)
    /// The payload is whole.
    case dataEnded
}

/// Turns the bytes of one direction of a connection into frames, however the network cut them (specification §3).
///
/// Append what arrives, then call `next()` until it gives `nil`: then nothing of what was appended is kept but the
/// beginning of one frame, copied into a buffer of its own so that the network's buffers are free again.
/// - The header is judged as soon as it is there, before any of the body is waited for.
/// - The payload of PART DATA is passed on in the pieces that arrived, without a copy; skipped frames are dropped
///   likewise.
/// - The first error is the last thing that a decoder gives: `next()` throws it again for ever.
package struct FrameDecoder: Sendable {
    private enum State {
        case header
        /// The fields of PART DATA are waited for.
        case dataFields(FrameHeader)
        case data(payloadBytesLeft: Int)
        case body(FrameHeader, FrameType)
        case skip(bytesLeft: Int)
        case failed(WireError)
    }

    /// A tighter maximum for every body than the types' own, such as before HELLO. It counts for headers read after it
    /// is set.
    package var bodyBytesMax: Int?

    private let receiver: Role
    private var state = State.header
    /// What was appended and not taken yet, in order; none of them is empty.
    private var arrived = CircularBuffer<ByteBuffer>()
    /// The beginning of a header or body of which the rest has not arrived; empty while a payload passes.
    private var collected = ByteBuffer()

    /// - Parameter receiver: the end that reads; frames that only the other end may read are refused.
    package init(receiver: Role) {
        self.receiver = receiver
    }

    /// Bytes that are held at present: those that `next()` has not taken yet.
    package var bufferedBytes: Int {
        arrived.reduce(collected.readableBytes) { $0 + $1.readableBytes }
    }

    /// Hands over what arrived, without copying it. After an error it is dropped.
    package mutating func append(_ bytes: ByteBuffer) {
        if case .failed = state { return }
        guard bytes.readableBytes > 0 else { return }
        arrived.append(bytes)
    }

    /// The next thing that the bytes say, or `nil` where more of them must arrive first.
    package mutating func next() throws(WireError) -> Inbound? {
        do throws(WireError) {
            return try advance()
        } catch {
            state = .failed(error)
            arrived.removeAll()
            collected = ByteBuffer()
            throw error
        }
    }

    private mutating func advance() throws(WireError) -> Inbound? {
        while true {
            switch state {
            case .header:
                guard var bytes = take(WireLimits.headerBytes), let header = FrameHeader(from: &bytes) else {
                    return nil
                }
                state = try judge(header)
            case .dataFields(let header):
                guard let fields = take(WireLimits.partDataFieldsBytes) else { return nil }
                let dataHeader = try PartDataHeader(header: header, fields: fields)
                state = .data(payloadBytesLeft: Int(dataHeader.payloadBytes))
                return .dataBegan(header.slot, dataHeader)
            case .data(let payloadBytesLeft):
                guard payloadBytesLeft > 0 else {
                    state = .header
                    return .dataEnded
                }
                guard let piece = takePiece(byteCountMax: payloadBytesLeft) else { return nil }
                state = .data(payloadBytesLeft: payloadBytesLeft - piece.readableBytes)
                return .dataBytes(piece)
            case .body(let header, let type):
                guard let body = take(Int(header.length)) else { return nil }
                var reader = BodyReader(type: type, flags: header.flags, slot: header.slot, body: body)
                state = .header
                return .frame(header.slot, try Frame(from: &reader))
            case .skip(let bytesLeft):
                guard bytesLeft > 0 else {
                    state = .header
                    continue
                }
                guard let piece = takePiece(byteCountMax: bytesLeft) else { return nil }
                state = .skip(bytesLeft: bytesLeft - piece.readableBytes)
            case .failed(let error):
                throw error
            }
        }
    }

    /// Checks everything that a header can be judged by, in the specification's order, and says what is to be read
    /// next.
    private func judge(_ header: FrameHeader) throws(WireError) -> State {
        guard let type = FrameType(rawValue: header.type) else {
            guard header.flags & FrameHeader.skippableFlag != 0 else { throw .unknownType(header.type) }
            try check(header, bodyBytesMax: WireLimits.skippedBodyBytesMax)
            return .skip(bytesLeft: Int(header.length))
        }
        guard type.direction.reaches(receiver) else { throw .wrongDirection(type: type) }
        try check(header, bodyBytesMax: type.bodyBytesMax)
        guard header.flags & ~type.definedFlags == 0, header.flags & type.requiredFlags == type.requiredFlags else {
            throw .reservedBits(type: type, flags: header.flags)
        }
        guard type.scope.allows(header.slot) else { throw .badSlot(type: type, slot: header.slot) }
        guard type == .partData else { return .body(header, type) }
        guard header.length >= UInt32(WireLimits.partDataFieldsBytes) else {
            throw .bodyTooShort(type: type, length: Int(header.length))
        }
        return .dataFields(header)
    }

    private func check(_ header: FrameHeader, bodyBytesMax typeMax: Int) throws(WireError) {
        let maximum = min(typeMax, bodyBytesMax ?? typeMax)
        guard Int(header.length) <= maximum else {
            throw .frameTooLarge(type: header.type, length: Int(header.length), maximum: maximum)
        }
    }

    /// Exactly `byteCount` bytes in one piece: a slice where they arrived together, else a copy. Until they are all
    /// there it is `nil`, and those that are have been copied aside.
    private mutating func take(_ byteCount: Int) -> ByteBuffer? {
        if collected.readableBytes == 0, let first = arrived.first, first.readableBytes >= byteCount {
            return takePiece(byteCountMax: byteCount)
        }
        while collected.readableBytes < byteCount,
            let piece = takePiece(byteCountMax: byteCount - collected.readableBytes)
        {
            collected.writeImmutableBuffer(piece)
        }
        guard collected.readableBytes == byteCount else { return nil }
        let whole = collected
        collected = ByteBuffer()
        return whole
    }

    /// Up to `byteCountMax` bytes (more than 0), as they arrived; `nil` where none has.
    private mutating func takePiece(byteCountMax: Int) -> ByteBuffer? {
        guard let first = arrived.first else { return nil }
        guard first.readableBytes > byteCountMax else { return arrived.removeFirst() }
        return arrived[arrived.startIndex].readSlice(length: byteCountMax)
    }
}
