import FoundationEssentials
import NIOCore
import TransferCommon
import WireProtocol

/// The `name=value` fields of a vector, read in the order of the specification's frame table (specification §14).
struct VectorFields {
    private var rest: ArraySlice<String>

    init(_ text: String) {
        rest = Repository.columns(of: text, separatedBy: "; ")[...]
    }

    /// - Parameter fields: each has the form `name=value`.
    init(_ fields: [String]) {
        rest = fields[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func value(_ name: String) throws -> String {
        guard let field = rest.popFirst(), field.hasPrefix(name + "=") else {
            throw VectorError(reason: "no \(name) where it should be")
        }
        return String(field.dropFirst(name.count + 1))
    }

    mutating func integer<Value: FixedWidthInteger>(_ name: String) throws -> Value {
        try parse(name) { Value($0) }
    }

    mutating func bytes(_ name: String) throws -> [UInt8] {
        try parse(name) { $0 == "-" ? [] : bytesOfHexadecimal($0) }
    }

    mutating func text(_ name: String) throws -> String {
        try parse(name) { try JSONDecoder().decode(String.self, from: Data($0.utf8)) }
    }

    mutating func part(_ name: String) throws -> PartNumber {
        try parse(name) { UInt32($0).flatMap { PartNumber($0) } }
    }

    mutating func digest(_ name: String) throws -> SHA256Digest {
        try parse(name) { SHA256Digest($0) }
    }

    mutating func session(_ name: String) throws -> SessionID {
        try parse(name) { SessionID($0) }
    }

    mutating func code(_ name: String) throws -> ErrorCode {
        ErrorCode(rawValue: try integer(name))
    }

    /// Reads a list: its count, then the fields of each entry.
    mutating func list<Entry>(
        _ name: String, entry: (inout VectorFields) throws -> Entry
    ) throws -> [Entry] {
        let count: Int = try integer(name)
        return try (0..<count).map { _ in try entry(&self) }
    }

    /// Reads `contentType` and `metadata`, as in SESSION OPEN and tokens.
    mutating func offeredMetadata() throws -> OfferedMetadata {
        let contentType = try text("contentType")
        let pairs = try list("metadata") { fields in
            MetadataPair(name: try fields.text("name"), value: try fields.text("value"))
        }
        return OfferedMetadata(contentType: contentType, pairs: pairs)
    }

    mutating func parse<Value>(_ name: String, _ convert: (String) throws -> Value?) throws -> Value {
        let text = try value(name)
        guard let value = try convert(text) else { throw VectorError(reason: "\(name)=\(text)") }
        return value
    }

    /// The items that a decoder must return for the frame that these fields describe.
    mutating func inbound(of type: FrameType) throws -> [Inbound] {
        let slot = Slot(try integer("slot"))
        let flags: UInt8 = try integer("flags")
        guard type == .partData else { return [.frame(slot, try frame(of: type, flags: flags))] }
        let part = try part("part")
        let offset: UInt64 = try integer("offset")
        let plainBytes: UInt32 = try integer("plainBytes")
        let payload = try bytes("payload")
        let header = PartDataHeader(
            part: part, offset: offset, plainBytes: plainBytes, isCompressed: flags & 1 != 0,
            payloadBytes: UInt32(payload.count))
        return [.dataBegan(slot, header), .dataBytes(ByteBuffer(bytes: payload)), .dataEnded]
    }
}
