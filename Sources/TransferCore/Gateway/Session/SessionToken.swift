package import TransferCommon
import WireProtocol

/// The plain text of a session token (specification §11): what a gateway needs to continue an unknown session.
package struct SessionToken: Hashable, Sendable {
    /// Maximum bytes of a sealed token. A session whose upload id is too long for one is refused when it opens.
    package static let sealedBytesMax = 4_096
    /// Upper bound of the bytes that sealing adds.
    static let sealingBytes = 64

    /// The format that a gateway writes.
    private static let format: UInt64 = 2
    private static let formatWithoutCondition: UInt64 = 1

    package var device: String
    package var session: SessionID
    /// The terms of the session. Their key is the whole key, prefix included.
    package var terms: SessionTerms
    /// Milliseconds since 1970 by the gateway's clock. For logs only: the gateway never compares it.
    package var issuedMilliseconds: Int64
    /// The store's upload id; empty for a one-part file.
    package var upload: String

    package init(
        device: String, session: SessionID, terms: SessionTerms, issuedMilliseconds: Int64, upload: String
    ) {
        self.device = device
        self.session = session
        self.terms = terms
        self.issuedMilliseconds = issuedMilliseconds
        self.upload = upload
    }

    /// The plain text, or `nil` if a field is too long for its encoding.
    package var encoded: [UInt8]? {
        let names = (device: Array(device.utf8), key: Array(terms.key.utf8), upload: Array(upload.utf8))
        guard names.device.count <= 255, names.key.count <= 65_535, names.upload.count <= 65_535 else { return nil }
        var bytes: [UInt8] = [UInt8(Self.format), UInt8(names.device.count)]
        bytes += names.device
        bytes += session.bytes
        bytes += bigEndian(terms.size ?? .max) + bigEndian(terms.partBytes)
        bytes += bigEndian(UInt64(bitPattern: terms.modification.seconds)) + bigEndian(terms.modification.nanoseconds)
        bytes += [terms.condition.code] + terms.condition.session.bytes
        bytes += encodedMetadata
        bytes += bigEndian(UInt16(names.key.count)) + names.key
        bytes += bigEndian(UInt64(bitPattern: issuedMilliseconds))
        bytes += bigEndian(UInt16(names.upload.count)) + names.upload
        return bytes.count + Self.sealingBytes <= Self.sealedBytesMax ? bytes : nil
    }

    /// The metadata as the token encodes them. Every count fits its field, because metadata is limited (§6.6).
    private var encodedMetadata: [UInt8] {
        let metadata = terms.metadata
        var bytes = [UInt8(metadata.contentType.utf8.count)] + metadata.contentType.utf8
        bytes.append(UInt8(metadata.pairs.count))
        for pair in metadata.pairs {
            bytes += [UInt8(pair.name.utf8.count)] + pair.name.utf8
            bytes += bigEndian(UInt16(pair.value.utf8.count)) + pair.value.utf8
        }
        return bytes
    }
}

// MARK: - Reading

extension SessionToken {
    /// Result of reading a plain text.
    package enum Reading: Hashable, Sendable {
        case token(SessionToken)
        /// A newer version of the gateway has written the token. Another gateway of the site may be able to read it.
        case unknownFormat
        case malformed
    }

    /// Reads a plain text of format 1 or 2. Format 1 means the condition *absent* and no metadata.
    package static func read(_ plain: [UInt8]) -> Reading {
        var reader = TokenReader(bytes: plain[...])
        switch reader.integer(1) {
        case format: return read(&reader, hasCondition: true).map { .token($0) } ?? .malformed
        case formatWithoutCondition: return read(&reader, hasCondition: false).map { .token($0) } ?? .malformed
        case let format? where format > Self.format: return .unknownFormat
        default: return .malformed
        }
    }

    /// Reads a plain text; gives `nil` unless it is exactly one token.
    package init?(encoded: [UInt8]) {
        guard case .token(let token) = Self.read(encoded) else { return nil }
        self = token
    }

    private static func read(_ reader: inout TokenReader, hasCondition: Bool) -> SessionToken? {
        guard let device = reader.text(countBytes: 1), let session = reader.session(),
            let size = reader.integer(8), let partBytes = reader.integer(8), partBytes > 0,
            let seconds = reader.integer(8), let nanoseconds = reader.integer(4)
        else { return nil }
        var condition = WriteCondition.absent
        var metadata = SessionMetadata.none
        var (key, issued): (String?, UInt64?)
        if hasCondition {
            guard let code = reader.integer(1), let session = reader.session(),
                let known = WriteCondition(code: UInt8(truncatingIfNeeded: code), session: session),
                let judged = reader.metadata()
            else { return nil }
            condition = known
            metadata = judged
            key = reader.text(countBytes: 2)
            issued = reader.integer(8)
        } else {
            issued = reader.integer(8)
            key = reader.text(countBytes: 2)
        }
        guard let key, let issued, let upload = reader.text(countBytes: 2), reader.bytes.isEmpty else { return nil }
        let modification = ModificationTime(
            seconds: Int64(bitPattern: seconds), nanoseconds: UInt32(truncatingIfNeeded: nanoseconds))
        return SessionToken(
            device: device, session: session,
            terms: SessionTerms(
                key: key, size: size == .max ? nil : size, partBytes: partBytes, modification: modification,
                condition: condition, metadata: metadata),
            issuedMilliseconds: Int64(bitPattern: issued), upload: upload)
    }
}

private struct TokenReader {
    var bytes: ArraySlice<UInt8>

    mutating func integer(_ count: Int) -> UInt64? {
        guard bytes.count >= count else { return nil }
        let value = bytes.prefix(count).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        bytes = bytes.dropFirst(count)
        return value
    }

    mutating func session() -> SessionID? {
        guard let high = integer(8), let low = integer(8) else { return nil }
        return SessionID(high: high, low: low)
    }

    mutating func text(countBytes: Int) -> String? {
        guard let count = integer(countBytes).map(Int.init), bytes.count >= count else { return nil }
        let text = String(validating: bytes.prefix(count), as: UTF8.self)
        bytes = bytes.dropFirst(count)
        return text
    }
}

extension TokenReader {
    /// `nil` if the bytes are cut short, or break a rule for metadata: no gateway seals such metadata.
    fileprivate mutating func metadata() -> SessionMetadata? {
        guard let contentType = text(countBytes: 1), let count = integer(1) else { return nil }
        var pairs: [MetadataPair] = []
        for _ in 0..<count {
            guard let name = text(countBytes: 1), let value = text(countBytes: 2) else { return nil }
            pairs.append(MetadataPair(name: name, value: value))
        }
        // try?: whichever rule the metadata breaks, the token is malformed.
        return try? SessionMetadata(OfferedMetadata(contentType: contentType, pairs: pairs))
    }
}

private func bigEndian<Integer: FixedWidthInteger & UnsignedInteger>(_ value: Integer) -> [UInt8] {
    (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (Integer.bitWidth - 8 - $0 * 8)) }
}
