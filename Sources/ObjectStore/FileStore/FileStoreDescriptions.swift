import FoundationEssentials
import SystemSupport
import TransferCommon

/// FileStore's knowledge of an object's bytes, kept in a separate file because the object must stay a plain file.
///
/// A description identifies the described file by inode, generation, size and modification time. So even after a crash
/// it is clear whether a description belongs to the present file or is void: an object that replaced the described one
/// has another inode, and an overwritten file has another modification time.
struct ObjectDescription: Codable {
    static let currentVersion = 1

    var version = currentVersion
    /// The object's key, for a person who reads the file. The program finds the file by the key's digest.
    var key: String
    // These fields distinguish the file from every other.
    var inode: UInt64
    var generation: UInt32
    var size: UInt64
    /// The file's own modification time. `metadata` holds that of the source file.
    var writtenSeconds: Int64
    var writtenNanoseconds: Int64
    var metadata: EncodedMetadata
    /// The root digest of an object made of parts, in hexadecimal digits.
    var root: String?
    /// Number of parts; present together with `root`.
    var partCount: UInt32?
    /// SHA-256, in hexadecimal digits, of an object written by one PutObject.
    var partDigest: String?

    /// - Parameters:
    ///   - status: the status of the finished file, after its last byte was synced.
    ///   - generation: see `OpenFile.generation`.
    init(
        key: FileStoreKey, status: FileStatus, generation: UInt32, metadata: ObjectMetadata, evidence: ObjectEvidence
    ) {
        self.key = key.text
        self.inode = status.inode
        self.generation = generation
        self.size = status.size
        self.writtenSeconds = status.modifiedSeconds
        self.writtenNanoseconds = status.modifiedNanoseconds
        self.metadata = EncodedMetadata(metadata)
        switch evidence {
        case .compositeSHA256(let root, _, let partCount):
            self.root = String(describing: root)
            self.partCount = partCount
        case .partDigest(let digest):
            self.partDigest = String(describing: digest)
        case .compositeMD5, .none:
            break
        }
    }

    /// Whether this description is of that file, unchanged.
    func describes(_ status: FileStatus, generation: UInt32) -> Bool {
        version == Self.currentVersion && inode == status.inode && self.generation == generation
            && size == status.size && writtenSeconds == status.modifiedSeconds
            && writtenNanoseconds == status.modifiedNanoseconds
    }

    /// The evidence of the object's content.
    var evidence: ObjectEvidence {
        if let root = root.flatMap({ SHA256Digest($0) }), let partCount {
            .compositeSHA256(root: root, partBytes: metadata.partBytes, partCount: partCount)
        } else if let digest = partDigest.flatMap({ SHA256Digest($0) }) {
            .partDigest(digest)
        } else {
            .none
        }
    }
}

/// Content of the file `description` of an unfinished upload.
struct UploadDescription: Codable {
    static let currentVersion = 1

    var version = currentVersion
    var key: String
    var metadata: EncodedMetadata
}

/// Object metadata in the form in which `ObjectDescription` and `UploadDescription` contain it.
struct EncodedMetadata: Codable {
    var session: String
    var partBytes: UInt64
    var modified: EncodedTime
    var partDigest: String?
    /// The user's content type; left out if empty.
    var contentType: String?
    /// The user's metadata pairs; left out if there are none.
    var user: [String: String]?

    init(_ metadata: ObjectMetadata) {
        self.session = String(describing: metadata.sessionID)
        self.partBytes = metadata.partBytes
        self.modified = EncodedTime(metadata.modificationTime)
        self.partDigest = metadata.partDigest.map { String(describing: $0) }
        self.contentType = metadata.userMetadata.writtenContentType
        self.user = metadata.userMetadata.writtenPairs
    }

    /// The decoded metadata; `nil` if a value is not one that this program writes.
    var metadata: ObjectMetadata? {
        guard let sessionID = SessionID(session), let modificationTime = modified.modificationTime,
            let userMetadata = SessionMetadata(writtenContentType: contentType, writtenPairs: user)
        else { return nil }
        return ObjectMetadata(
            sessionID: sessionID, partBytes: partBytes, modificationTime: modificationTime,
            partDigest: partDigest.flatMap { SHA256Digest($0) }, userMetadata: userMetadata)
    }
}

extension ObjectEvidence {
    /// The ETag that FileStore gives an object, computed from the evidence of its content.
    var fileStoreETag: String? {
        switch self {
        case .compositeSHA256(let root, _, let partCount): "\"\(root)-\(partCount)\""
        case .partDigest(let digest): Self.fileStoreETag(of: digest)
        case .compositeMD5, .none: nil
        }
    }

    /// A part's ETag is its digest. Two writes of the same bytes have the same ETag on purpose: an agent that missed
    /// an answer sends the part again through another gateway, and both answers then name the same content.
    static func fileStoreETag(of digest: SHA256Digest) -> String { "\"\(digest)\"" }
}

/// The last bytes of a part's file, which describe the bytes before them.
///
/// The footer lies in the part's file, so that one rename replaces bytes and digest together. It lies at the end, so
/// that the part's bytes begin on a block boundary and can be cloned.
struct PartFooter: Equatable {
    /// Layout: "sluicePt", the part's size as a big-endian 64-bit integer, the digest.
    static let byteCount = 8 + 8 + SHA256Digest.byteCount

    private static let magic = Array("sluicePt".utf8)

    /// Bytes of the part, without this footer.
    var size: UInt64
    /// SHA-256 of the part's bytes, verified when they were written.
    var digest: SHA256Digest

    init(size: UInt64, digest: SHA256Digest) {
        self.size = size
        self.digest = digest
    }

    /// Returns `nil` unless the bytes are a footer that fits a file of this size.
    init?(_ bytes: [UInt8], fileSize: UInt64) {
        guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic),
            let digest = SHA256Digest(bytes: bytes[16...])
        else { return nil }
        let size = bytes[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard fileSize >= UInt64(Self.byteCount), size == fileSize - UInt64(Self.byteCount) else { return nil }
        self.init(size: size, digest: digest)
    }

    /// The encoded footer.
    var bytes: [UInt8] {
        Self.magic + (0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * UInt64($0))) } + digest.bytes
    }
}

extension FileStatus {
    /// The modification time, for display and for computing ages.
    var modified: Date {
        Date(timeIntervalSince1970: Double(modifiedSeconds) + Double(modifiedNanoseconds) / 1e9)
    }

    /// The ETag of an object without a description, because another program wrote or overwrote it. With this ETag,
    /// even such an object is replaced only if it has not changed since the caller saw it.
    ///
    /// - Parameter generation: see `OpenFile.generation`.
    func fileStoreETag(generation: UInt32) -> String {
        "\"file-\(inode)-\(generation)-\(size)-\(modifiedSeconds).\(modifiedNanoseconds)"
            + "-\(changedSeconds).\(changedNanoseconds)\""
    }
}
