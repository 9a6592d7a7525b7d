package import WireProtocol

/// The plain text of a session token (specification §11): all that a gateway must know to go on with a session that it
/// has never seen.
package struct SessionToken: Equatable, Sendable {
    /// Sealed, a token never exceeds this: an upload id longer than that is refused when the session opens.
    package static let sealedBytesMax = 4_096
    /// What sealing adds, generously.
    static let sealingBytes = 64

    package var device: String
    package var session: SessionID
    /// `nil` for a stream.
    package var fileBytes: UInt64?
    package var partBytes: UInt64
    package var modification: ModificationTime
    /// Milliseconds since 1970 by the gateway's clock; for the logs of people, nothing depends on it.
    package var issuedMilliseconds: Int64
    /// The whole key, prefix included.
    package var key: String
    /// The store's upload id; empty for a one-part file.
    package var upload: String

    package init(
        device: String, session: SessionID, fileBytes: UInt64?, partBytes: UInt64, modification: ModificationTime,
        issuedMilliseconds: Int64, key: String, upload: String
    ) {
        self.device = device
        self.session = session
        self.fileBytes = fileBytes
        self.partBytes = partBytes
        self.modification = modification
        self.issuedMilliseconds = issuedMilliseconds
        self.key = key
        self.upload = upload
    }

    /// The plain text, or `nil` where a field is longer than its form allows.
    package var encoded: [UInt8]? {
        let names = (device: Array(device.utf8), key: Array(key.utf8), upload: Array(upload.utf8))
        guard names.device.count <= 255, names.key.count <= 65_535, names.upload.count <= 65_535 else { return nil }
        var bytes: [UInt8] = [1, UInt8(names.device.count)]
        bytes += names.device
        bytes += session.bytes
        bytes += bigEndian(fileBytes ?? .max) + bigEndian(partBytes)
        bytes += bigEndian(UInt64(bitPattern: modification.seconds)) + bigEndian(modification.nanoseconds)
        bytes += bigEndian(UInt64(bitPattern: issuedMilliseconds))
        bytes += bigEndian(UInt16(names.key.count)) + names.key
        bytes += bigEndian(UInt16(names.upload.count)) + names.upload
        return bytes.count + Self.sealingBytes <= Self.sealedBytesMax ? bytes : nil
    }

    /// Reads a plain text; anything but exactly one token of format 1 gives `nil`.
    package init?(encoded: [UInt8]) {
        var reader = TokenReader(bytes: encoded[...])
        guard reader.integer(1) == 1, let device = reader.text(countBytes: 1),
            let high = reader.integer(8), let low = reader.integer(8),
            let size = reader.integer(8), let partBytes = reader.integer(8), partBytes > 0,
            let seconds = reader.integer(8), let nanoseconds = reader.integer(4), let issued = reader.integer(8),
            let key = reader.text(countBytes: 2), let upload = reader.text(countBytes: 2), reader.bytes.isEmpty
        else { return nil }
        self.init(
            device: device, session: SessionID(high: high, low: low), fileBytes: size == .max ? nil : size,
            partBytes: partBytes,
            modification: ModificationTime(
                seconds: Int64(bitPattern: seconds), nanoseconds: UInt32(truncatingIfNeeded: nanoseconds)),
            issuedMilliseconds: Int64(bitPattern: issued), key: key, upload: upload)
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

    mutating func text(countBytes: Int) -> String? {
        guard let count = integer(countBytes).map(Int.init), bytes.count >= count else { return nil }
        let text = String(validating: bytes.prefix(count), as: UTF8.self)
        bytes = bytes.dropFirst(count)
        return text
    }
}

private func bigEndian<Integer: FixedWidthInteger & UnsignedInteger>(_ value: Integer) -> [UInt8] {
    (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (Integer.bitWidth - 8 - $0 * 8)) }
}
