import Cryptography
import FoundationEssentials
package import TransferCommon
import WireProtocol

/// What the gateways of a site remember of an unfinished multipart session, in the store itself.
///
/// Written before the upload is created, completed with the upload id afterwards, removed when the session is decided.
/// So every upload of ours has a record from its first moment on, and cleaning never has to guess.
package struct SessionRecord: Hashable, Sendable {
    /// The device's name.
    package var device: String
    package var key: String
    /// `nil` for a stream, whose size is not known at first.
    package var size: UInt64?
    /// The source file's.
    package var modificationTime: ModificationTime
    /// The session's part size.
    package var partBytes: UInt64
    /// Which object the session may replace.
    package var condition: WriteCondition
    /// What the user chose for those who read the object.
    package var metadata: SessionMetadata
    package var sessionID: SessionID
    /// `nil` until the upload has been created.
    package var upload: String?

    package init(
        device: String, key: String, size: UInt64?, modificationTime: ModificationTime, partBytes: UInt64,
        condition: WriteCondition, metadata: SessionMetadata = .none, sessionID: SessionID, upload: String?
    ) {
        self.device = device
        self.key = key
        self.size = size
        self.modificationTime = modificationTime
        self.partBytes = partBytes
        self.condition = condition
        self.metadata = metadata
        self.sessionID = sessionID
        self.upload = upload
    }
}

extension SessionRecord {
    /// The record's name in the store: `<first 32 hexadecimal digits of SHA-256(key)>-<session id>`.
    ///
    /// One listing by the part before the hyphen finds all sessions of a key; key and session id give the name.
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

    /// What the names of all of a key's records begin with. Other keys may share it in theory: compare the key.
    package static func namePrefix(key: String) throws(StoreError) -> String {
        hexadecimal(try keyDigest(key).bytes.prefix(16)) + "-"
    }

    /// JSON with its keys in order, so that the same record gives the same bytes.
    package func encoded() throws(StoreError) -> [UInt8] {
        let form = EncodedSessionRecord(
            version: EncodedSessionRecord.currentVersion, device: device, key: key, size: size,
            modified: EncodedTime(modificationTime), partBytes: partBytes, replaces: EncodedCondition(condition),
            session: String(describing: sessionID), upload: upload, contentType: metadata.writtenContentType,
            metadata: metadata.writtenPairs)
        return try encodedJSON(form)
    }

    /// `nil` where the bytes are no record, or one of a version that this program does not know. A record of version 1
    /// has no condition and no metadata: it is read as *absent*, without metadata.
    package init?(decoding bytes: [UInt8]) {
        guard let form: EncodedSessionRecord = decodedJSON(bytes), let condition = form.condition,
            let sessionID = SessionID(form.session), let modificationTime = form.modified.modificationTime,
            let metadata = SessionMetadata(writtenContentType: form.contentType, writtenPairs: form.metadata)
        else { return nil }
        self.init(
            device: form.device, key: form.key, size: form.size, modificationTime: modificationTime,
            partBytes: form.partBytes, condition: condition, metadata: metadata, sessionID: sessionID,
            upload: form.upload)
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
    /// From version 2 on.
    var replaces: EncodedCondition?
    var session: String
    var upload: String?
    /// Left out where it is empty.
    var contentType: String?
    /// Left out where there are none.
    var metadata: [String: String]?

    var condition: WriteCondition? {
        switch version {
        case 1: .absent
        case Self.currentVersion: replaces?.condition
        default: nil
        }
    }
}

/// How records write a session's condition: what it may replace.
private struct EncodedCondition: Codable {
    /// `nothing`, `anything` or `session`.
    var what: String
    /// With `session`.
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

/// How records and FileStore's descriptions write a modification time.
struct EncodedTime: Codable {
    var seconds: Int64
    var nanoseconds: UInt32

    init(_ time: ModificationTime) {
        self.seconds = time.seconds
        self.nanoseconds = time.nanoseconds
    }

    /// `nil` where the nanoseconds are none.
    var modificationTime: ModificationTime? {
        nanoseconds < 1_000_000_000 ? ModificationTime(seconds: seconds, nanoseconds: nanoseconds) : nil
    }
}

/// SHA-256 of a key's UTF-8, for names that must neither be too long nor contain a slash.
func keyDigest(_ key: String) throws(StoreError) -> SHA256Digest {
    do {
        return try SHA256Digest.of(key.utf8)
    } catch {
        throw StoreError(.unavailable, "The cryptographic library failed.", cause: error)
    }
}

/// The form in which everything of ours in a store is described.
func encodedJSON(_ value: some Encodable) throws(StoreError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return Array(try encoder.encode(value))
    } catch {
        throw StoreError(.damaged, "A description could not be written as JSON.", cause: error)
    }
}

/// `nil` where the bytes are not of this form. Why they are not is of no use to anybody: nothing is repaired.
func decodedJSON<Value: Decodable>(_ bytes: [UInt8]) -> Value? {
    // Whoever gets nil says that the description is damaged; the decoder's error would add only its position.
    try? JSONDecoder().decode(Value.self, from: Data(bytes))
}
