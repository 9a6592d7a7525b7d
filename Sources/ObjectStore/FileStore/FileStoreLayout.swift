import SystemSupport
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The paths below a FileStore's directory.
///
/// ```
/// DIR/<key>                                       an object
/// DIR/.sluice/uploads/<upload id>/description     key and metadata of an unfinished upload
///                                 part-00001 …    one stored part each: the bytes and a footer (PartFooter)
///                                 joined          the joined parts, during a completion
///                                 completing      present while `joined` becomes the object
///             metadata/<2>/<62 digits>.<inode>    the description of an object (ObjectDescription)
///             identity                            the store's identity (FileStoreIdentity)
///             sessions/<name>                     session records
///             instances/<instance id>             locked as long as that FileStore lives
///             staging/<instance id>/<number>      files that FileStore is writing or removing
/// ```
struct FileStoreLayout: Sendable {
    /// Name of the folder for everything that is not an object. No key may begin with this name.
    static let ownFolderName = ".sluice"

    /// Maximum size of a description in bytes. It suffices for a key of `PATH_MAX` bytes that are all escaped, and for
    /// the other fields.
    static let descriptionBytesMax = 1 << 15

    /// The store's directory: an absolute path without a slash at its end.
    let root: String

    /// The folder for everything that is not an object.
    var ownFolder: String { "\(root)/\(Self.ownFolderName)" }
    // The folders in `ownFolder` and the files in them; the comment on `FileStoreLayout` lists them.
    var uploads: String { "\(ownFolder)/uploads" }
    var metadata: String { "\(ownFolder)/metadata" }
    var sessions: String { "\(ownFolder)/sessions" }
    var instances: String { "\(ownFolder)/instances" }
    var staging: String { "\(ownFolder)/staging" }
    var identity: String { "\(ownFolder)/identity" }

    func record(_ name: String) -> String { "\(sessions)/\(name)" }
    func upload(_ id: String) -> String { "\(uploads)/\(id)" }
    func description(of id: String) -> String { "\(upload(id))/description" }
    func joined(of id: String) -> String { "\(upload(id))/joined" }
    func completing(of id: String) -> String { "\(upload(id))/completing" }

    /// The path of a part's file. The number in the name has at least five digits, so that a directory listing shows
    /// the parts in order.
    func part(_ number: PartNumber, of id: String) -> String {
        let digits = String(number.value)
        return "\(upload(id))/\(Self.partPrefix)\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits)"
    }

    private static let partPrefix = "part-"

    /// The part number of a file in an upload's folder; `nil` for the other files of that folder.
    static func partNumber(ofFile name: String) -> PartNumber? {
        guard name.utf8.starts(with: partPrefix.utf8),
            let value = UInt32(String(decoding: name.utf8.dropFirst(partPrefix.utf8.count), as: UTF8.self))
        else { return nil }
        return PartNumber(value)
    }

    /// The folder of an object's description. There are 256 such folders, so that none grows too large.
    func descriptionFolder(of key: FileStoreKey) -> String { "\(metadata)/\(key.digest.prefix(2))" }

    /// The path of an object's description. The path contains the inode, so the next object under the key gets another
    /// description file.
    func objectDescription(of key: FileStoreKey, inode: UInt64) -> String {
        "\(descriptionFolder(of: key))/\(Self.descriptionPrefix(of: key))\(inode)"
    }

    /// The beginning of the names of all descriptions of a key's objects.
    static func descriptionPrefix(of key: FileStoreKey) -> String { "\(key.digest.dropFirst(2))." }

    /// Makes the id of a new upload: digits of the key's digest, by which a listing finds the uploads of a key, and 128
    /// random bits.
    static func makeUploadID(for key: FileStoreKey) -> String {
        var generator = SystemRandomNumberGenerator()
        return uploadIDPrefix(for: key) + String(describing: SessionID.random(using: &generator))
    }

    /// Prefix of the ids of all uploads of a key.
    static func uploadIDPrefix(for key: FileStoreKey) -> String { "\(key.digest.prefix(32))-" }

    /// Whether the id may be the id of an upload of this key. Other ids are refused before they become part of a path.
    static func isUploadID(_ id: String, of key: FileStoreKey) -> Bool {
        let prefix = uploadIDPrefix(for: key).utf8
        return id.utf8.starts(with: prefix) && isLowercaseHexadecimal(id.utf8.dropFirst(prefix.count), count: 32)
    }

    private static func isLowercaseHexadecimal(_ digits: Substring.UTF8View, count: Int) -> Bool {
        digits.count == count
            && digits.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }

    /// The maximum length of a key in bytes. The path of an object, with its final zero, must fit into `PATH_MAX`, so
    /// that other programs can open the file.
    var keyBytesMax: Int { min(ObjectKey.byteCountMax, max(0, Int(PATH_MAX) - 1 - root.utf8.count - 1)) }
}

/// A key whose form allows it to be a path below the store's directory.
struct FileStoreKey: Sendable {
    let key: ObjectKey
    /// SHA-256 of the key in hexadecimal digits.
    let digest: String
    /// The names of the folders from the store's directory to the object, the outermost first.
    let folders: [String]
    /// The object's name in the last folder.
    let name: String

    /// The key as text, for display and for descriptions.
    var text: String { key.text }

    /// Throws if the key cannot be a path. `KeyFolders.check` later checks the key against the existing objects.
    init(_ key: ObjectKey, bytesMax: Int) throws(StoreError) {
        // Compare without regard to case, so that the directory can be copied to a file system that ignores case.
        guard let first = key.segments.first, !Self.isOwnFolder(first) else {
            throw StoreError(.keyUnsupported, "Keys under .sluice/ are reserved for gateways.")
        }
        guard key.bytes.count <= bytesMax else {
            throw StoreError(.keyUnsupported, "The key is too long for a path in this directory.")
        }
        guard key.segments.allSatisfy({ $0.count <= Int(NAME_MAX) }) else {
            throw StoreError(.keyUnsupported, "A segment of the key is longer than a file's name may be.")
        }
        var names = key.segments.map { String(decoding: $0, as: UTF8.self) }
        self.name = names.removeLast()
        self.folders = names
        self.key = key
        self.digest = String(describing: try keyDigest(key.text))
    }

    private static func isOwnFolder(_ segment: ArraySlice<UInt8>) -> Bool {
        segment.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
            .elementsEqual(FileStoreLayout.ownFolderName.utf8)
    }
}
