import NIOCore
import Testing
import TransferCommon
import WireProtocol

/// The direction in which a vector's bytes are sent (specification §14).
enum Way: String, Sendable {
    case up = "A→G"
    case down = "G→A"
    case both = "both"

    /// The ends that receive the bytes and must accept or refuse them.
    var receivers: [Role] {
        switch self {
        case .up: [.gateway]
        case .down: [.agent]
        case .both: [.agent, .gateway]
        }
    }

    init(field: String) throws {
        guard let way = Way(rawValue: field) else { throw VectorError(reason: "way \(field)") }
        self = way
    }
}

/// One line of frames.txt or tolerated.txt.
struct FrameVector: Sendable, CustomTestStringConvertible {
    let name: String
    let way: Way
    let type: FrameType
    let bytes: [UInt8]
    /// The items that a decoder must return for the bytes, if the payload arrives in one piece.
    let inbound: [Inbound]

    var testDescription: String { name }

    /// Whether the frame has a compressed payload; the codec cannot check its content.
    var isCompressedData: Bool {
        if case .dataBegan(_, let header) = inbound.first { header.isCompressed } else { false }
    }

    static func load(_ file: String) throws -> [FrameVector] {
        try Repository.vectors(file, fieldCount: 4).map { try FrameVector(fields: $0) }
    }

    /// All vectors of frames.txt that `receiver` can receive.
    static func frames(for receiver: Role) throws -> [FrameVector] {
        try load("frames.txt").filter { $0.way.receivers.contains(receiver) }
    }

    private init(fields: [String]) throws {
        name = fields[0]
        way = try Way(field: fields[1])
        guard let bytes = bytesOfHexadecimal(fields[2]) else { throw VectorError(reason: "bytes of \(fields[0])") }
        self.bytes = bytes
        let kind = Repository.columns(of: name, separatedBy: ": ")[0]
        guard let type = FrameType.allCases.first(where: { $0.description == kind }) else {
            throw VectorError(reason: "type of \(name)")
        }
        self.type = type
        var words = VectorFields(fields[3])
        inbound = try words.inbound(of: type)
        guard words.isAtEnd else { throw VectorError(reason: "fields of \(name)") }
    }
}

/// One line of malformed.txt.
struct MalformedVector: Sendable, CustomTestStringConvertible {
    let name: String
    let way: Way
    let bytes: [UInt8]
    let codeName: String

    var testDescription: String { name }

    static func load() throws -> [MalformedVector] {
        try Repository.vectors("malformed.txt", fieldCount: 4).map { fields in
            guard let bytes = bytesOfHexadecimal(fields[2]) else { throw VectorError(reason: "bytes of \(fields[0])") }
            return MalformedVector(
                name: fields[0], way: try Way(field: fields[1]), bytes: bytes, codeName: fields[3])
        }
    }
}

/// All items that a decoder returned for some bytes. Payload pieces are joined, because their boundaries do not
/// matter.
struct Outcome: Equatable {
    var inbound: [Inbound] = []
    var error: WireError?

    /// Appends `pieces` to `decoder` one after the other and takes all its items after each.
    init(feeding pieces: [ByteBuffer], to decoder: inout FrameDecoder) {
        for piece in pieces where error == nil {
            decoder.append(piece)
            drain(&decoder)
        }
    }

    init(feeding pieces: [[UInt8]], receiver: Role) {
        var decoder = FrameDecoder(receiver: receiver)
        self.init(feeding: pieces.map { ByteBuffer(bytes: $0) }, to: &decoder)
    }

    init(feeding bytes: [UInt8], receiver: Role) {
        self.init(feeding: [bytes], receiver: receiver)
    }

    private mutating func drain(_ decoder: inout FrameDecoder) {
        do throws(WireError) {
            while let next = try decoder.next() {
                if case .dataBytes(let piece) = next, case .dataBytes(var joined) = inbound.last {
                    joined.writeImmutableBuffer(piece)
                    inbound[inbound.count - 1] = .dataBytes(joined)
                } else {
                    inbound.append(next)
                }
            }
        } catch {
            self.error = error
        }
    }
}

/// `bytes` with a header length that matches the bytes after the header.
func withLengthFixed(_ bytes: [UInt8]) -> [UInt8] {
    let length = UInt32(bytes.count - WireLimits.headerBytes)
    return (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32($0))) } + bytes[4...]
}

/// A frame as encoded by `Frame.encode`.
func encoded(_ frame: Frame, slot: Slot = Slot(1)) throws -> [UInt8] {
    var buffer = ByteBuffer()
    try frame.encode(slot: slot, into: &buffer)
    return Array(buffer.readableBytesView)
}

/// A frame with a header that matches its length and with any body, also one that no encoder would write.
func rawFrame(type: UInt8, flags: UInt8 = 0, slot: UInt16 = 0, body: [UInt8] = []) -> [UInt8] {
    withLengthFixed([0, 0, 0, 0, type, flags, UInt8(slot >> 8), UInt8(truncatingIfNeeded: slot)] + body)
}
