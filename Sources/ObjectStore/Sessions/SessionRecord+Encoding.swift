import Cryptography
import FoundationEssentials
package import TransferCommon
import WireProtocol

extension SessionRecord {
    /// The record's name in the store: `<first 32 hexadecimal digits of SHA-256(key)>-<session id>`.
    ///
    /// A listing of the names that begin with the digits and the hyphen finds all sessions of a key. The key and the
    /// session id together give the name.
    package static func name(key: String, session: SessionID) throws(StoreError) -> String {
        try namePrefix(key: key) + String(describing: session)
    }

    /// Whether a store may keep a record under this name: 1 to 200 letters, digits, `.`, `_` and `-`, no leading dot.
    package static func isName(_ name: String) -> Bool {
        (1...200).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: ".")
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// Prefix of the names of all records of a key. In theory another key can have the same prefix, so the caller has
    /// to compare the key in the record.
    package static func namePrefix(key: String) throws(StoreError) -> String {
        hexadecimal(try keyDigest(key).bytes.prefix(16)) + "-"
    }

    /// The record as JSON. The keys are sorted, so that equal records give equal bytes.
    package func encoded() throws(StoreError) -> [UInt8] {
        let form = EncodedSessionRecord(
            version: EncodedSessionRecord.currentVersion, device: device, key: terms.key, size: terms.size,
            modified: EncodedTime(terms.modification), partBytes: terms.partBytes,
            replaces: EncodedCondition(terms.condition), session: String(describing: session), upload: upload,
            contentType: terms.metadata.writtenContentType, metadata: terms.metadata.writtenPairs)
        return try encodedJSON(form)
    }

    /// Returns `nil` if the bytes are not a record or have an unknown version. A record of version 1 has no condition
    /// and no metadata; it is read with the condition *absent*.
    package init?(decoding bytes: [UInt8]) {
        guard let form: EncodedSessionRecord = decodedJSON(bytes), let condition = form.condition,
            let session = SessionID(form.session), let modification = form.modified.modificationTime,
            let metadata = SessionMetadata(writtenContentType: form.contentType, writtenPairs: form.metadata)
        else { return nil }
        let terms = SessionTerms(
            key: form.key, size: form.size, partBytes: form.partBytes, modification: modification,
            condition: condition, metadata: metadata)
        self.init(device: form.device, session: session, terms: terms, upload: form.upload)
    }
}

private struct EncodedSessionRecord: Codable {
    static let currentVersion = 2

    var version: Int
    var device: String
    var key: String
    var size: UInt64?
    var modified: EncodedTime
    var partBytes: UInt64
    /// The write condition. Present in records of version 2 and later.
    var replaces: EncodedCondition?
    var session: String
    var upload: String?
    var contentType: String?
    var metadata: [String: String]?

    var condition: WriteCondition? {
        switch version {
        case 1: .absent
        case Self.currentVersion: replaces?.condition
        default: nil
        }
    }
}

private struct EncodedCondition: Codable {
    /// Which object may be replaced: `nothing`, `anything`, or `session` for an object of that session only.
    var what: String
    var session: String?

    init(_ condition: WriteCondition) {
        switch condition {
        case .absent: what = "nothing"
        case .any: what = "anything"
        case .matches(let session): (what, self.session) = ("session", String(describing: session))
        }
    }

    var condition: WriteCondition? {
        switch what {
        case "nothing": .absent
        case "anything": .any
        case "session": session.flatMap { SessionID($0) }.map { .matches($0) }
        default: nil
        }
    }
}

/// The JSON form of a modification time in records and in FileStore's descriptions.
struct EncodedTime: Codable {
    var seconds: Int64
    var nanoseconds: UInt32

    init(_ time: ModificationTime) {
        self.seconds = time.seconds
        self.nanoseconds = time.nanoseconds
    }

    /// The decoded time; `nil` if the nanoseconds are out of range.
    var modificationTime: ModificationTime? {
        nanoseconds < 1_000_000_000 ? ModificationTime(seconds: seconds, nanoseconds: nanoseconds) : nil
    }
}

/// SHA-256 of a key in UTF-8. File and record names contain this digest instead of the key, because a key may be too
/// long for a name and may contain slashes.
func keyDigest(_ key: String) throws(StoreError) -> SHA256Digest {
    do {
        return try SHA256Digest.of(key.utf8)
    } catch {
        throw StoreError.cryptographyFailed(error)
    }
}

/// The JSON encoding of every description and record that Sluice writes into a store.
func encodedJSON(_ value: some Encodable) throws(StoreError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return Array(try encoder.encode(value))
    } catch {
        throw StoreError(.damaged, "A description could not be written as JSON.", cause: error)
    }
}

/// Decodes JSON; `nil` if the bytes do not have the form of `Value`.
func decodedJSON<Value: Decodable>(_ bytes: [UInt8]) -> Value? {
    // try?: the caller reports that the file or record is damaged; the decoder's error would add only the position.
    try? JSONDecoder().decode(Value.self, from: Data(bytes))
}
