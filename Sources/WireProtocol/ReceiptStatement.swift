package import TransferCommon

/// The signed content of a receipt: which object the store held at a certain time, and with what content (specification
/// §9.5).
///
/// The statement is not sent: the agent builds the same bytes as the gateway, from values that both know. For this
/// purpose each statement has exactly one encoding. Decoding accepts no other encoding, so `encoded()` of a decoded
/// statement returns the same bytes.
package struct ReceiptStatement: Sendable {
    /// The store that holds the object.
    package var storeIdentity: StoreIdentity
    /// The fingerprint of the signing key.
    package var siteKey: SHA256Digest
    /// The device's name at the gateway.
    package var device: String
    /// The object's complete key, including the device's prefix.
    package var key: String
    /// The session that wrote the object; all bits 0 if the store does not report it.
    package var session: SessionID
    /// Bytes of the object.
    package var size: UInt64
    /// The part size with which the root digest was computed.
    package var partBytes: UInt64
    /// The evidence of the content: `root` or `wholeDigest`. Other kinds are not allowed in receipts.
    package var evidence: ContentEvidence
    /// The ETag that the store returned; may be empty.
    package var etag: String
    /// The store's version id of this object; may be empty.
    package var version: String
    /// Time of the receipt: milliseconds since 1970-01-01 UTC, by the gateway's clock.
    package var timeMilliseconds: Int64

    package init(
        storeIdentity: StoreIdentity, siteKey: SHA256Digest, device: String, key: String, session: SessionID,
        size: UInt64, partBytes: UInt64, evidence: ContentEvidence, etag: String, version: String,
        timeMilliseconds: Int64
    ) {
        self.storeIdentity = storeIdentity
        self.siteKey = siteKey
        self.device = device
        self.key = key
        self.session = session
        self.size = size
        self.partBytes = partBytes
        self.evidence = evidence
        self.etag = etag
        self.version = version
        self.timeMilliseconds = timeMilliseconds
    }

    /// The first bytes of every statement. Because of them, the signature of a statement is never valid for a text of
    /// another kind.
    package static let purpose = Array("sluice receipt v1".utf8) + [0]
}

extension ReceiptStatement {
    /// Builds the statement about an object that COMPLETED or PROVEN describes. Gateway and agent build the same
    /// bytes.
    ///
    /// - Parameters:
    ///   - key: the complete key, including the device's prefix.
    ///   - siteKey: the fingerprint of the signing key.
    package init(
        of object: ProvenObject, key: String, device: String, storeIdentity: StoreIdentity, siteKey: SHA256Digest,
        timeMilliseconds: Int64
    ) {
        self.init(
            storeIdentity: storeIdentity, siteKey: siteKey, device: device, key: key,
            session: object.session ?? .zero, size: object.size, partBytes: object.partBytes,
            evidence: object.evidence, etag: object.etag, version: object.version, timeMilliseconds: timeMilliseconds)
    }
}

extension ReceiptStatement: Equatable {
    /// Compares texts by their bytes. Two keys that only Unicode treats as equivalent are different.
    package static func == (left: ReceiptStatement, right: ReceiptStatement) -> Bool {
        left.storeIdentity == right.storeIdentity && left.siteKey == right.siteKey && left.session == right.session
            && left.size == right.size && left.partBytes == right.partBytes && left.evidence == right.evidence
            && left.timeMilliseconds == right.timeMilliseconds && left.device.hasSameBytes(as: right.device)
            && left.key.hasSameBytes(as: right.key) && left.etag.hasSameBytes(as: right.etag)
            && left.version.hasSameBytes(as: right.version)
    }
}

/// The reason why bytes are not a statement, or why a value cannot be encoded as one. Fields have the names that the
/// specification gives them.
package enum ReceiptStatementError: Error, Hashable, Sendable {
    /// The bytes do not begin with `purpose`: they are a statement of a later version, or no statement.
    case unknownPurpose
    /// The bytes end before the end of this field.
    case tooShort(field: String)
    /// After the last field there are `count` more bytes.
    case trailingBytes(count: Int)
    /// The field is not UTF-8.
    case badText(field: String)
    /// The field has a value that a statement must not have, or it is longer than its encoding allows.
    case badValue(field: String)
}

extension ReceiptStatementError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownPurpose: "the statement does not begin with \"sluice receipt v1\""
        case .tooShort(let field): "the statement ends within the field \(field)"
        case .trailingBytes(let count): "\(count) bytes follow the statement's last field"
        case .badText(let field): "the statement's field \(field) is not UTF-8"
        case .badValue(let field): "the statement's field \(field) has a value that no statement may have"
        }
    }
}

// MARK: - Bytes

extension ReceiptStatement {
    /// The bytes that the gateway signs.
    ///
    /// - Throws: `badValue` if the evidence is of a kind that receipts do not allow, or a text is too long for the
    ///   encoding.
    package func encoded() throws(ReceiptStatementError) -> [UInt8] {
        let (kind, digest): (UInt8, SHA256Digest)
        switch evidence {
        case .root(let root): (kind, digest) = (Self.rootKind, root)
        case .wholeDigest(let whole): (kind, digest) = (Self.wholeDigestKind, whole)
        case .none, .compositeMD5: throw .badValue(field: "evidenceKind")
        }
        var bytes = Self.purpose + storeIdentity.bytes + siteKey.bytes
        try Self.append(device, "device", countBytes: 1, to: &bytes)
        try Self.append(key, "key", countBytes: 2, to: &bytes)
        bytes += session.bytes
        Self.append(size, byteCount: 8, to: &bytes)
        Self.append(partBytes, byteCount: 8, to: &bytes)
        bytes.append(kind)
        Self.append(UInt64(SHA256Digest.byteCount), byteCount: 2, to: &bytes)
        bytes += digest.bytes
        try Self.append(etag, "etag", countBytes: 2, to: &bytes)
        try Self.append(version, "version", countBytes: 2, to: &bytes)
        Self.append(UInt64(bitPattern: timeMilliseconds), byteCount: 8, to: &bytes)
        return bytes
    }

    /// Decodes exactly one statement.
    package init(decoding bytes: some Sequence<UInt8>) throws(ReceiptStatementError) {
        var reader = StatementReader(bytes: Array(bytes)[...])
        try reader.purpose()
        storeIdentity = try reader.digest("storeIdentity")
        siteKey = try reader.digest("siteKey")
        device = try reader.text("device", countBytes: 1)
        key = try reader.text("key", countBytes: 2)
        session = SessionID(high: try reader.integer("session", 8), low: try reader.integer("session", 8))
        size = try reader.integer("size", 8)
        partBytes = try reader.integer("partBytes", 8)
        let kind = UInt8(truncatingIfNeeded: try reader.integer("evidenceKind", 1))
        guard kind == Self.rootKind || kind == Self.wholeDigestKind else { throw .badValue(field: "evidenceKind") }
        guard try reader.integer("evidence", 2) == UInt64(SHA256Digest.byteCount) else {
            throw .badValue(field: "evidence")
        }
        let digest = try reader.digest("evidence")
        evidence = kind == Self.rootKind ? .root(digest) : .wholeDigest(digest)
        etag = try reader.text("etag", countBytes: 2)
        version = try reader.text("version", countBytes: 2)
        timeMilliseconds = Int64(bitPattern: try reader.integer("time", 8))
        guard reader.bytes.isEmpty else { throw .trailingBytes(count: reader.bytes.count) }
    }

    private static let rootKind: UInt8 = 1
    private static let wholeDigestKind: UInt8 = 2

    private static func append(_ value: UInt64, byteCount: Int, to bytes: inout [UInt8]) {
        for place in (0..<byteCount).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(place))))
        }
    }

    private static func append(
        _ text: String, _ field: String, countBytes: Int, to bytes: inout [UInt8]
    ) throws(ReceiptStatementError) {
        let count = text.utf8.count
        guard count < 1 << (8 * countBytes) else { throw .badValue(field: field) }
        append(UInt64(count), byteCount: countBytes, to: &bytes)
        bytes += text.utf8
    }
}

private struct StatementReader {
    private(set) var bytes: ArraySlice<UInt8>

    init(bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    mutating func purpose() throws(ReceiptStatementError) {
        guard bytes.starts(with: ReceiptStatement.purpose) else { throw .unknownPurpose }
        bytes = bytes.dropFirst(ReceiptStatement.purpose.count)
    }

    mutating func take(_ field: String, _ count: Int) throws(ReceiptStatementError) -> ArraySlice<UInt8> {
        guard bytes.count >= count else { throw .tooShort(field: field) }
        defer { bytes = bytes.dropFirst(count) }
        return bytes.prefix(count)
    }

    mutating func integer(_ field: String, _ byteCount: Int) throws(ReceiptStatementError) -> UInt64 {
        try take(field, byteCount).reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func digest(_ field: String) throws(ReceiptStatementError) -> SHA256Digest {
        guard let digest = SHA256Digest(bytes: try take(field, SHA256Digest.byteCount)) else {
            throw .tooShort(field: field)
        }
        return digest
    }

    mutating func text(_ field: String, countBytes: Int) throws(ReceiptStatementError) -> String {
        let count = Int(try integer(field, countBytes))
        guard let text = String(validating: try take(field, count), as: UTF8.self) else { throw .badText(field: field) }
        return text
    }
}
