import FoundationEssentials
import SystemSupport
import TransferCommon

/// What FileStore knows of an object's bytes, kept beside the object because it must stay a plain file.
///
/// It names the file it speaks of: inode, generation, size and modification time. So it is true or void, whatever order
/// a crash left things in: a replaced object has another inode, and one that was written over has another time.
struct ObjectDescription: Codable {
    static let currentVersion = 1

    var version = currentVersion
    /// For a person who looks; found by its digest.
    var key: String
    // What tells the file from every other.
    var inode: UInt64
    var generation: UInt32
    var size: UInt64
    /// The file's own modification time. The source's is in `metadata`.
    var writtenSeconds: Int64
    var writtenNanoseconds: Int64
    var metadata: EncodedMetadata
    /// The root digest of an object made of parts, in hexadecimal digits.
    var root: String?
    /// With `root`.
    var partCount: UInt32?
    /// The digest of an object that was put at once.
    var partDigest: String?

    /// - Parameters:
    ///   - status: of the finished file, after its last byte was synced.
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

    /// This describes that very file, unchanged.
    func describes(_ status: FileStatus, generation: UInt32) -> Bool {
        version == Self.currentVersion && inode == status.inode && self.generation == generation
            && size == status.size && writtenSeconds == status.modifiedSeconds
            && writtenNanoseconds == status.modifiedNanoseconds
    }

    /// The evidence it was made with.
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

/// The file `description` of an unfinished upload.
struct UploadDescription: Codable {
    static let currentVersion = 1

    var version = currentVersion
    var key: String
    var metadata: EncodedMetadata
}

/// Metadata as both descriptions write it.
struct EncodedMetadata: Codable {
    var session: String
    var partBytes: UInt64
    var modified: EncodedTime
    var partDigest: String?
    /// The user's; left out where it is empty.
    var contentType: String?
    /// The user's pairs; left out where there are none.
    var user: [String: String]?

    init(_ metadata: ObjectMetadata) {
        self.session = String(describing: metadata.sessionID)
        self.partBytes = metadata.partBytes
        self.modified = EncodedTime(metadata.modificationTime)
        self.partDigest = metadata.partDigest.map { String(describing: $0) }
        self.contentType = metadata.userMetadata.writtenContentType
        self.user = metadata.userMetadata.writtenPairs
    }

    /// `nil` where what was read is not what this program writes.
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
    /// The ETag that FileStore gives an object, made from what it knows of the content.
    var fileStoreETag: String? {
        switch self {
        case .compositeSHA256(let root, _, let partCount): "\"\(root)-\(partCount)\""
        case .partDigest(let digest): Self.fileStoreETag(of: digest)
        case .compositeMD5, .none: nil
        }
    }

    /// A part's ETag is its digest. Two writes of the same bytes share it, on purpose: an agent whose answer was lost
    /// sends the part again through another gateway, and whichever answer it holds in the end names the same content.
    static func fileStoreETag(of digest: SHA256Digest) -> String { "\"\(digest)\"" }
}

/// The last bytes of a part's file: what the bytes before them are.
///
/// In the file itself, so that one rename replaces bytes and digest together; at its end, so that the part's own bytes
/// begin on a block boundary and can be cloned.
struct PartFooter: Equatable {
    /// "sluicePt", the part's size as a big-endian 64-bit integer, the digest.
    static let byteCount = 8 + 8 + SHA256Digest.byteCount

    private static let magic = Array("sluicePt".utf8)

    /// Of the part, without this footer.
    var size: UInt64
    /// SHA-256 of the part's bytes, checked when they were written.
    var digest: SHA256Digest

    init(size: UInt64, digest: SHA256Digest) {
        self.size = size
        self.digest = digest
    }

    /// `nil` unless the bytes are a footer and fit a file of this size.
    init?(_ bytes: [UInt8], fileSize: UInt64) {
        guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic),
            let digest = SHA256Digest(bytes: bytes[16...])
        else { return nil }
        let size = bytes[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard fileSize >= UInt64(Self.byteCount), size == fileSize - UInt64(Self.byteCount) else { return nil }
        self.init(size: size, digest: digest)
    }

    /// What is written.
    var bytes: [UInt8] {
        Self.magic + (0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * UInt64($0))) } + digest.bytes
    }
}

extension FileStatus {
    /// The modification time, good for showing and for ages.
    var modified: Date {
        Date(timeIntervalSince1970: Double(modifiedSeconds) + Double(modifiedNanoseconds) / 1e9)
    }

    /// The ETag of an object of which nothing but its file is known, as another program made it or wrote over it. It
    /// lets even such an object be replaced only if it is still the one that was seen.
    ///
    /// - Parameter generation: see `OpenFile.generation`.
    func fileStoreETag(generation: UInt32) -> String {
        "\"file-\(inode)-\(generation)-\(size)-\(modifiedSeconds).\(modifiedNanoseconds)"
            + "-\(changedSeconds).\(changedNanoseconds)\""
    }
}
