import NIOCore
import TransferCommon

/// The fields of one frame. All frames except PART DATA conform to this protocol. Errors name a field as the
/// specification does. Encoding checks the same ranges as decoding, so that neither side sends a frame that the other
/// side refuses.
protocol FrameBody: Hashable, Sendable {
    static var type: FrameType { get }

    /// The flag bits that the header must have if the body has these fields.
    var flags: UInt8 { get }

    /// Writes the fields in the order of the specification's table.
    func encode(into writer: inout BodyWriter) throws(WireError)

    /// Reads the fields in the order of the specification's table and leaves the bytes after them unread.
    init(from reader: inout BodyReader) throws(WireError)
}

extension FrameBody {
    var flags: UInt8 { 0 }
}

/// Reads the fields of one complete body.
struct BodyReader {
    let type: FrameType
    let flags: UInt8
    let slot: Slot
    private let length: Int
    private var rest: ByteBuffer

    /// - Parameter body: the bytes of the body, without the header. The caller has already checked the header.
    init(type: FrameType, flags: UInt8, slot: Slot, body: ByteBuffer) {
        self.type = type
        self.flags = flags
        self.slot = slot
        self.length = body.readableBytes
        self.rest = body
    }

    mutating func integer<Value: FixedWidthInteger>() throws(WireError) -> Value {
        guard let value: Value = rest.readInteger() else { throw tooShort }
        return value
    }

    /// Reads a number.
    ///
    /// - Parameter isMeant: whether the field has a meaning in this frame. If not, it must be 0.
    mutating func integer<Value: FixedWidthInteger>(_ field: String, isMeant: Bool) throws(WireError) -> Value {
        let value: Value = try integer()
        guard isMeant || value == 0 else { throw badValue(field) }
        return value
    }

    /// Reads a number that must be the raw value of one of `Value`'s cases.
    mutating func choice<Value: RawRepresentable>(_ field: String) throws(WireError) -> Value
    where Value.RawValue: FixedWidthInteger {
        guard let value = Value(rawValue: try integer()) else { throw badValue(field) }
        return value
    }

    mutating func partNumber(_ field: String) throws(WireError) -> PartNumber {
        guard let part = PartNumber(try integer()) else { throw badValue(field) }
        return part
    }

    /// Reads the four bytes with which a HELLO begins. If they have another value than "SLUC", the peer does not speak
    /// this protocol.
    mutating func magic() throws(WireError) {
        let magic: UInt32 = try integer()
        guard magic == WireLimits.magic else { throw .badMagic(magic) }
    }

    mutating func sessionID() throws(WireError) -> SessionID {
        SessionID(high: try integer(), low: try integer())
    }

    mutating func runID() throws(WireError) -> RunID {
        RunID(high: try integer(), low: try integer())
    }

    mutating func invitationSecret() throws(WireError) -> InvitationSecret {
        InvitationSecret(high: try integer(), low: try integer())
    }

    mutating func sha256() throws(WireError) -> SHA256Digest {
        guard let digest = SHA256Digest(bytes: try bytes(count: SHA256Digest.byteCount)) else { throw tooShort }
        return digest
    }

    mutating func md5() throws(WireError) -> MD5Digest {
        guard let digest = MD5Digest(bytes: try bytes(count: MD5Digest.byteCount)) else { throw tooShort }
        return digest
    }

    mutating func text8(_ field: String) throws(WireError) -> String {
        let count: UInt8 = try integer()
        return try text(field, count: Int(count))
    }

    /// Reads a text with a 16-bit count.
    ///
    /// - Parameter byteCounts: the allowed lengths, in bytes of UTF-8.
    mutating func text16(_ field: String, _ byteCounts: ClosedRange<Int> = anyCount16) throws(WireError) -> String {
        let count: UInt16 = try integer()
        guard byteCounts.contains(Int(count)) else { throw badValue(field) }
        return try text(field, count: Int(count))
    }

    mutating func bytes16(_ field: String, _ byteCounts: ClosedRange<Int>) throws(WireError) -> [UInt8] {
        let count: UInt16 = try integer()
        guard byteCounts.contains(Int(count)) else { throw badValue(field) }
        return try bytes(count: Int(count))
    }

    /// Reads a text for people, such as an error's message.
    mutating func message(_ field: String = "message") throws(WireError) -> String {
        try text16(field, 0...WireLimits.messageBytesMax)
    }

    /// Reads a session token.
    ///
    /// - Parameter isMeant: whether the frame has a token. If not, the field must be empty.
    mutating func token(isMeant: Bool = true) throws(WireError) -> [UInt8] {
        try bytes16("token", 0...(isMeant ? WireLimits.tokenBytesMax : 0))
    }

    /// Reads `count` elements. The array grows with each element that was read. No memory is reserved for `count`
    /// elements in advance, because a peer may send a false count.
    mutating func list<Element>(
        count: Int, element: (inout BodyReader) throws(WireError) -> Element
    ) throws(WireError) -> [Element] {
        var elements: [Element] = []
        for _ in 0..<count {
            elements.append(try element(&self))
        }
        return elements
    }

    /// Reads the extension fields up to the end of the body. Version 1 defines no extension fields, so every such field
    /// is unknown. This method skips a field that is marked as optional, and throws for a field that is marked as
    /// required.
    mutating func skipExtensionFields() throws(WireError) {
        var fieldCount = 0
        while rest.readableBytes > 0 {
            guard rest.readableBytes >= WireLimits.extensionFieldHeadBytes else {
                throw .trailingBytes(type: type, length: length, unread: rest.readableBytes)
            }
            fieldCount += 1
            guard fieldCount <= WireLimits.extensionFieldsMax else { throw .tooManyFields(type: type) }
            let tag: UInt16 = try integer()
            guard tag & 0x8000 == 0 else { throw .unknownRequiredField(type: type, tag: tag) }
            let count: UInt16 = try integer()
            guard rest.readSlice(length: Int(count)) != nil else { throw tooShort }
        }
    }

    func badValue(_ field: String) -> WireError {
        .badValue(type: type, field: field)
    }

    private var tooShort: WireError {
        .bodyTooShort(type: type, length: length)
    }

    private mutating func text(_ field: String, count: Int) throws(WireError) -> String {
        guard let slice = rest.readSlice(length: count) else { throw tooShort }
        guard let text = String(validating: slice.readableBytesView, as: UTF8.self) else {
            throw .badText(type: type, field: field)
        }
        return text
    }

    private mutating func bytes(count: Int) throws(WireError) -> [UInt8] {
        guard let bytes = rest.readBytes(length: count) else { throw tooShort }
        return bytes
    }
}

/// Writes the fields of one body into a buffer of its own. The connection's buffer therefore stays unchanged if a field
/// is outside its range.
struct BodyWriter {
    let type: FrameType
    let slot: Slot
    /// The bytes that have been written so far.
    private(set) var body = ByteBuffer()

    init(type: FrameType, slot: Slot) {
        self.type = type
        self.slot = slot
    }

    mutating func integer(_ value: some FixedWidthInteger) {
        body.writeInteger(value)
    }

    mutating func choice<Value: RawRepresentable>(_ value: Value) where Value.RawValue: FixedWidthInteger {
        body.writeInteger(value.rawValue)
    }

    mutating func partNumber(_ part: PartNumber) {
        body.writeInteger(part.value)
    }

    mutating func magic() {
        integer(WireLimits.magic)
    }

    mutating func sessionID(_ session: SessionID) {
        body.writeMultipleIntegers(session.high, session.low)
    }

    mutating func runID(_ run: RunID) {
        body.writeMultipleIntegers(run.high, run.low)
    }

    mutating func invitationSecret(_ secret: InvitationSecret) {
        body.writeBytes(secret.bytes)
    }

    mutating func sha256(_ digest: SHA256Digest) {
        body.writeBytes(digest.bytes)
    }

    mutating func md5(_ digest: MD5Digest) {
        body.writeBytes(digest.bytes)
    }

    mutating func text8(_ text: String, _ field: String) throws(WireError) {
        guard let count = UInt8(exactly: text.utf8.count) else { throw badValue(field) }
        body.writeInteger(count)
        body.writeString(text)
    }

    mutating func text16(
        _ text: String, _ field: String, _ byteCounts: ClosedRange<Int> = anyCount16
    ) throws(WireError) {
        guard byteCounts.contains(text.utf8.count), let count = UInt16(exactly: text.utf8.count) else {
            throw badValue(field)
        }
        body.writeInteger(count)
        body.writeString(text)
    }

    mutating func bytes16(_ bytes: [UInt8], _ field: String, _ byteCounts: ClosedRange<Int>) throws(WireError) {
        guard byteCounts.contains(bytes.count), let count = UInt16(exactly: bytes.count) else { throw badValue(field) }
        body.writeInteger(count)
        body.writeBytes(bytes)
    }

    /// Writes a text for people. Cuts a text that is longer than the frame allows.
    mutating func message(_ text: String, _ field: String = "message") throws(WireError) {
        try text16(prefix(of: text, byteCountMax: WireLimits.messageBytesMax), field)
    }

    mutating func token(_ token: [UInt8], isMeant: Bool = true) throws(WireError) {
        try bytes16(token, "token", 0...(isMeant ? WireLimits.tokenBytesMax : 0))
    }

    func badValue(_ field: String) -> WireError {
        .badValue(type: type, field: field)
    }
}

/// All lengths that a field of type text16 or bytes16 can have.
let anyCount16 = 0...Int(UInt16.max)

private func prefix(of text: String, byteCountMax: Int) -> String {
    guard text.utf8.count > byteCountMax else { return text }
    var count = 0
    var prefix = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        count += UTF8.width(scalar)
        guard count <= byteCountMax else { break }
        prefix.append(scalar)
    }
    return String(prefix)
}

/// Whether each part number is greater than the one before it.
func isAscending(_ parts: some Collection<PartNumber>) -> Bool {
    zip(parts, parts.dropFirst()).allSatisfy { $0 < $1 }
}
