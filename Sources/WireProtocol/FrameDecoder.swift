package import NIOCore

/// One result of decoding. After `dataBegan`, only `dataBytes` follow, until `dataEnded`.
package enum Inbound: Equatable, Sendable {
    case frame(Slot, Frame)
    /// A PART DATA frame begins; exactly `payloadBytes` bytes of payload follow.
    case dataBegan(Slot, PartDataHeader)
    /// The next piece of the payload. It is a slice of an appended buffer and never empty.
    case dataBytes(ByteBuffer)
    /// The payload is complete.
    case dataEnded
}

/// Decodes the frames of one direction of a connection, however the network splits the bytes (specification §3).
///
/// Append received bytes, then call `next()` until it returns `nil`. After that the decoder holds at most a copy of the
/// beginning of one frame, so the buffers from the network can be freed.
/// - The decoder checks a header as soon as its eight bytes are complete, before it waits for the body.
/// - It passes the payload of PART DATA on piece by piece as it arrives, without a copy. It also discards the bytes of
///   skipped frames as they arrive.
/// - After the first error, `next()` throws the same error at each call.
package struct FrameDecoder: Sendable {
    private enum State {
        case header
        /// The header of PART DATA has arrived, but not all of the fields before the payload.
        case dataFields(FrameHeader)
        case data(payloadBytesLeft: Int)
        case body(FrameHeader, FrameType)
        case skip(bytesLeft: Int)
        case failed(WireError)
    }

    /// Maximum length of every body, in addition to the maximum of each type; `nil` for none. A gateway sets this value
    /// until HELLO has arrived. A change applies to headers that are read afterwards.
    package var bodyBytesMax: Int?

    private let receiver: Role
    private var state = State.header
    /// Appended buffers whose bytes `next()` has not consumed yet, in order. No buffer is empty.
    private var arrived = CircularBuffer<ByteBuffer>()
    /// A copy of the beginning of an incomplete header or body. Empty while a payload is being passed on.
    private var collected = ByteBuffer()

    /// - Parameter receiver: the side that receives the bytes. The decoder refuses frames that only the other side may
    ///   receive.
    package init(receiver: Role) {
        self.receiver = receiver
    }

    /// Number of appended bytes that `next()` has not consumed yet.
    package var bufferedBytes: Int {
        arrived.reduce(collected.readableBytes) { $0 + $1.readableBytes }
    }

    /// Appends received bytes without copying them. After an error the decoder discards them.
    package mutating func append(_ bytes: ByteBuffer) {
        if case .failed = state { return }
        guard bytes.readableBytes > 0 else { return }
        arrived.append(bytes)
    }

    /// Returns the next decoded item, or `nil` if the decoder needs more bytes.
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

    /// Checks the header in the order that the specification prescribes.
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

    /// Takes exactly `byteCount` bytes in one buffer: a slice if they arrived in one buffer, otherwise a copy. If not
    /// all have arrived, keeps a copy of those that have and returns `nil`.
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

    private mutating func takePiece(byteCountMax: Int) -> ByteBuffer? {
        guard let first = arrived.first else { return nil }
        guard first.readableBytes > byteCountMax else { return arrived.removeFirst() }
        return arrived[arrived.startIndex].readSlice(length: byteCountMax)
    }
}
