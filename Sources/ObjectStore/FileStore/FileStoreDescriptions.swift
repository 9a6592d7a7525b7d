import FoundationEssentials
import SystemSupport
import TransferCommon

/// What FileStore knows about an object besides its bytes. It is kept in a separate file, because the object's file
/// must contain the object's bytes and nothing else.
///
/// A description identifies the described file by inode, generation, size and modification time. An object that
/// replaces another one has another inode, and an overwritten file has another modification time. So whatever a crash
/// leaves behind, a description is true, or it matches no file and has no effect.
struct ObjectDescription: Codable {
    static let currentVersion = 1

    var version = currentVersion
    /// The object's key. The store finds the description by the key's digest; the key itself helps a person who reads
    /// the file.
    var key: String
    // These fields identify the described file.
    var inode: UInt64
    var generation: UInt32
    var size: UInt64
    /// Modification time of the object's file in this store. `metadata` has the modification time of the file on the
    /// device.
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
    ///   - status: status of the finished file, read after its last byte was synced.
    ///   - generation: the generation of the file's inode (`OpenFile.generation`).
    init(
        key: FileStoreKey, status: FileStatus, generation: UInt32, metadata: ObjectMetadata, content: HashedContent
    ) {
        self.key = key.text
        self.inode = status.inode
        self.generation = generation
        self.size = status.size
        self.writtenSeconds = status.modifiedSeconds
        self.writtenNanoseconds = status.modifiedNanoseconds
        self.metadata = EncodedMetadata(metadata)
        switch content {
        case .parts(let root, let count):
            self.root = String(describing: root)
            self.partCount = count
        case .whole(let digest):
            self.partDigest = String(describing: digest)
        }
    }

    /// Whether this description describes the file with this status, and the file has not changed since.
    func describes(_ status: FileStatus, generation: UInt32) -> Bool {
        version == Self.currentVersion && inode == status.inode && self.generation == generation
            && size == status.size && writtenSeconds == status.modifiedSeconds
            && writtenNanoseconds == status.modifiedNanoseconds
    }

    /// The object's content; `nil` if the description has no digest.
    var content: HashedContent? {
        if let root = root.flatMap({ SHA256Digest($0) }), let partCount {
            .parts(root: root, count: partCount)
        } else {
            partDigest.flatMap { SHA256Digest($0) }.map { .whole($0) }
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

/// The JSON form of an object's metadata. The descriptions of objects and of uploads contain it.
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
        self.session = String(describing: metadata.session)
        self.partBytes = metadata.partBytes
        self.modified = EncodedTime(metadata.modification)
        self.partDigest = metadata.partDigest.map { String(describing: $0) }
        self.contentType = metadata.userMetadata.writtenContentType
        self.user = metadata.userMetadata.writtenPairs
    }

    /// The decoded metadata; `nil` if a value is one that Sluice never writes.
    var metadata: ObjectMetadata? {
        guard let session = SessionID(session), let modification = modified.modificationTime,
            let userMetadata = SessionMetadata(writtenContentType: contentType, writtenPairs: user)
        else { return nil }
        return ObjectMetadata(
            session: session, partBytes: partBytes, modification: modification,
            partDigest: partDigest.flatMap { SHA256Digest($0) }, userMetadata: userMetadata)
    }
}

/// The content of an object, as FileStore has hashed it while it wrote the object.
enum HashedContent {
    /// The object was made of parts: `root` was computed from the digests of its `count` parts.
    case parts(root: SHA256Digest, count: UInt32)
    /// The object was written by one PutObject.
    case whole(SHA256Digest)

    /// The ETag that FileStore gives the object.
    var etag: String {
        switch self {
        case .parts(let root, let count): "\"\(root)-\(count)\""
        case .whole(let digest): Self.partETag(digest)
        }
    }

    /// The evidence that an object with this content has.
    var evidence: ContentEvidence {
        switch self {
        case .parts(let root, _): .root(root)
        case .whole(let digest): .wholeDigest(digest)
        }
    }

    /// The answer to the call that has made the object.
    var storedObject: StoredObject { StoredObject(evidence: evidence, etag: etag, version: "") }

    /// The ETag of a part: its digest. Two writes of the same bytes thus give the same ETag. That is useful if an agent
    /// misses an answer and sends the part again through another gateway: both answers then name the same content.
    static func partETag(_ digest: SHA256Digest) -> String { "\"\(digest)\"" }
}

/// The last bytes of a part's file. They contain the size and the digest of the bytes before them.
///
/// The footer is in the same file as the part's bytes, so that one rename replaces bytes and digest together. It is at
/// the end, so that the part's bytes begin on a block boundary and the file system can clone them.
struct PartFooter: Equatable {
    /// Length of a footer: the eight characters "sluicePt", the part's size as a big-endian 64-bit integer, and the
    /// digest.
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

    /// Returns `nil` if the bytes are not a footer, or if the size in it does not match the size of the file.
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

    /// The ETag of an object that has no description, because another program has written or overwritten the file. When
    /// the file changes, this ETag changes, too. So a write with the condition `ifMatch` replaces such an object only
    /// if the file has not changed.
    ///
    /// - Parameter generation: the generation of the file's inode (`OpenFile.generation`).
    func fileStoreETag(generation: UInt32) -> String {
        "\"file-\(inode)-\(generation)-\(size)-\(modifiedSeconds).\(modifiedNanoseconds)"
            + "-\(changedSeconds).\(changedNanoseconds)\""
    }
}
