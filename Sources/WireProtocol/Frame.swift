package import NIOCore

/// A frame whose complete body has been read. PART DATA is not among the cases, because its payload is never collected
/// in memory (`PartDataHeader`). This value does not contain the slot; functions pass it as a separate argument.
package enum Frame: Hashable, Sendable {
    case hello(Hello)
    case welcome(Welcome)
    case ping(Ping)
    case pong(Pong)
    case goAway(GoAway)
    case error(ErrorReport)
    case enrol(Enrol)
    case enrolled(Enrolled)
    case sessionOpen(SessionOpen)
    case sessionOpened(SessionOpened)
    case sessionExists(SessionExists)
    case sessionRefused(SessionRefused)
    case sessionLeave(SessionLeave)
    case sessionLeft(SessionLeft)
    case partOffer(PartOffer)
    case partDecision(PartDecision)
    case received(Received)
    case stored(Stored)
    case resumeQuery(ResumeQuery)
    case resumeState(ResumeState)
    case partList(PartList)
    case complete(Complete)
    case partsWanted(PartsWanted)
    case completed(Completed)
    case abort(Abort)
    case aborted(Aborted)
    case prove(Prove)
    case proven(Proven)
    case report(StatusReport)
}

extension Frame {
    /// The type in the frame's header.
    package var type: FrameType { Swift.type(of: body).type }

    /// Appends the complete frame, header and body, to `buffer`.
    /// - Throws: if a field or the slot is outside its range; `buffer` is then unchanged.
    package func encode(slot: Slot, into buffer: inout ByteBuffer) throws(WireError) {
        let body = body
        let type = type
        guard type.scope.allows(slot) else { throw .badSlot(type: type, slot: slot) }
        var writer = BodyWriter(type: type, slot: slot)
        try body.encode(into: &writer)
        let length = writer.body.readableBytes
        guard length <= type.bodyBytesMax else {
            throw .frameTooLarge(type: type.rawValue, length: length, maximum: type.bodyBytesMax)
        }
        let header = FrameHeader(length: UInt32(length), type: type.rawValue, flags: body.flags, slot: slot)
        header.encode(into: &buffer)
        buffer.writeImmutableBuffer(writer.body)
    }

    private var body: any FrameBody {
        switch self {
        case .hello(let body): body
        case .welcome(let body): body
        case .ping(let body): body
        case .pong(let body): body
        case .goAway(let body): body
        case .error(let body): body
        case .enrol(let body): body
        case .enrolled(let body): body
        case .sessionOpen(let body): body
        case .sessionOpened(let body): body
        case .sessionExists(let body): body
        case .sessionRefused(let body): body
        case .sessionLeave(let body): body
        case .sessionLeft(let body): body
        case .partOffer(let body): body
        case .partDecision(let body): body
        case .received(let body): body
        case .stored(let body): body
        case .resumeQuery(let body): body
        case .resumeState(let body): body
        case .partList(let body): body
        case .complete(let body): body
        case .partsWanted(let body): body
        case .completed(let body): body
        case .abort(let body): body
        case .aborted(let body): body
        case .prove(let body): body
        case .proven(let body): body
        case .report(let body): body
        }
    }

    /// Reads all fields of the body.
    init(from reader: inout BodyReader) throws(WireError) {
        switch reader.type {
        case .hello: self = .hello(try Hello(from: &reader))
        case .welcome: self = .welcome(try Welcome(from: &reader))
        case .ping: self = .ping(try Ping(from: &reader))
        case .pong: self = .pong(try Pong(from: &reader))
        case .goAway: self = .goAway(try GoAway(from: &reader))
        case .error: self = .error(try ErrorReport(from: &reader))
        case .enrol: self = .enrol(try Enrol(from: &reader))
        case .enrolled: self = .enrolled(try Enrolled(from: &reader))
        case .sessionOpen: self = .sessionOpen(try SessionOpen(from: &reader))
        case .sessionOpened: self = .sessionOpened(try SessionOpened(from: &reader))
        case .sessionExists: self = .sessionExists(try SessionExists(from: &reader))
        case .sessionRefused: self = .sessionRefused(try SessionRefused(from: &reader))
        case .sessionLeave: self = .sessionLeave(try SessionLeave(from: &reader))
        case .sessionLeft: self = .sessionLeft(try SessionLeft(from: &reader))
        case .partOffer: self = .partOffer(try PartOffer(from: &reader))
        case .partDecision: self = .partDecision(try PartDecision(from: &reader))
        // Cannot happen: the decoder passes PART DATA on in pieces and does not call this initialiser for it.
        case .partData: throw .wrongDirection(type: .partData)
        case .received: self = .received(try Received(from: &reader))
        case .stored: self = .stored(try Stored(from: &reader))
        case .resumeQuery: self = .resumeQuery(try ResumeQuery(from: &reader))
        case .resumeState: self = .resumeState(try ResumeState(from: &reader))
        case .partList: self = .partList(try PartList(from: &reader))
        case .complete: self = .complete(try Complete(from: &reader))
        case .partsWanted: self = .partsWanted(try PartsWanted(from: &reader))
        case .completed: self = .completed(try Completed(from: &reader))
        case .abort: self = .abort(try Abort(from: &reader))
        case .aborted: self = .aborted(try Aborted(from: &reader))
        case .prove: self = .prove(try Prove(from: &reader))
        case .proven: self = .proven(try Proven(from: &reader))
        case .report: self = .report(try StatusReport(from: &reader))
        }
        try reader.skipExtensionFields()
    }
}
