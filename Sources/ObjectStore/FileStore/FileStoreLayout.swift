import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which path means what below a FileStore's directory.
///
/// ```
/// DIR/<key>                                       an object
/// DIR/.sluice/uploads/<upload id>/description     key and metadata of an unfinished upload
///                                 part-00001 …    one stored part each: the bytes and a footer (PartFooter)
///                                 joined          the object to be, while an upload is completed
///                                 completing      there while `joined` is about to become the object
///             metadata/<2>/<62 digits>.<inode>    what is known of an object's bytes (ObjectDescription)
///             identity                            the store's identity (FileStoreIdentity)
///             sessions/<name>                     session records
///             instances/<instance id>             locked as long as that FileStore lives
///             staging/<instance id>/<number>      what that FileStore is writing or removing
/// ```
struct FileStoreLayout: Sendable {
    /// The first segment that keys cannot have.
    static let ownFolderName = ".sluice"

    /// The store's directory, absolute, without a slash at its end.
    let root: String

    /// What is not an object.
    var ownFolder: String { "\(root)/\(Self.ownFolderName)" }
    // The folders in it, and the files in those, as shown above.
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

    /// The number is written with five digits, so that a person sees the parts in order.
    func part(_ number: PartNumber, of id: String) -> String {
        let digits = String(number.value)
        return "\(upload(id))/\(Self.partPrefix)\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits)"
    }

    private static let partPrefix = "part-"

    /// The part that a file in an upload's folder holds; `nil` for the other files there.
    static func partNumber(ofFile name: String) -> PartNumber? {
        guard name.utf8.starts(with: partPrefix.utf8),
            let value = UInt32(String(decoding: name.utf8.dropFirst(partPrefix.utf8.count), as: UTF8.self))
        else { return nil }
        return PartNumber(value)
    }

    /// The folder that an object's description lies in: one of 256, so that none grows too large.
    func descriptionFolder(of key: FileStoreKey) -> String { "\(metadata)/\(key.digest.prefix(2))" }

    /// An object's description belongs to one inode: the key's next object has another file for its own.
    func objectDescription(of key: FileStoreKey, inode: UInt64) -> String {
        "\(descriptionFolder(of: key))/\(key.digest.dropFirst(2)).\(inode)"
    }

    /// A new upload's id: the key's digest, so that a key's uploads are found by their names, and 128 random bits.
    static func makeUploadID(for key: FileStoreKey) -> String {
        var generator = SystemRandomNumberGenerator()
        return uploadIDPrefix(for: key) + String(describing: SessionID.random(using: &generator))
    }

    /// What the ids of all of a key's uploads begin with.
    static func uploadIDPrefix(for key: FileStoreKey) -> String { "\(key.digest.prefix(32))-" }

    /// An id that could be this key's. Anything else is no upload of this key, and never becomes a path.
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

    /// The greatest length of a key such that programs that read the directory can still name the object: its path fits
    /// into `PATH_MAX` with its final zero.
    var keyBytesMax: Int { min(ObjectKey.byteCountMax, max(0, Int(PATH_MAX) - 1 - root.utf8.count - 1)) }
}

/// A key that can be a path below the store's directory.
struct FileStoreKey: Sendable {
    let key: ObjectKey
    /// SHA-256 of the key in hexadecimal digits.
    let digest: String
    /// The names of the folders on the way from the store's directory, the outermost first.
    let folders: [String]
    /// The object's name in the last of them.
    let name: String

    /// To be shown, and to be written beside the object.
    var text: String { key.text }

    /// Refuses with a sentence what no file could be called. Whether it goes with the objects that are there is looked
    /// at later (`StoreDirectory.checkPlace`).
    init(_ key: ObjectKey, bytesMax: Int) throws(StoreError) {
        // Without regard to case, so that a directory can be copied to where case makes no difference.
        guard let first = key.segments.first, !Self.isOwnFolder(first) else {
            throw StoreError(.keyUnsupported, "Keys under .sluice/ are the gateways' own.")
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
