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

    func object(_ key: FileStoreKey) -> String { "\(root)/\(key.text)" }
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
        guard name.hasPrefix(partPrefix), let value = UInt32(name.dropFirst(partPrefix.count)) else { return nil }
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
        let prefix = uploadIDPrefix(for: key)
        return id.hasPrefix(prefix) && isLowercaseHexadecimal(id.dropFirst(prefix.count), count: 32)
    }

    private static func isLowercaseHexadecimal(_ text: Substring, count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }

    /// A name that may become a record's file.
    static func isRecordName(_ name: String) -> Bool {
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

    /// The greatest length of a key such that the object's path still fits into `PATH_MAX` with its final zero.
    var keyBytesMax: Int { max(0, Int(PATH_MAX) - 1 - root.utf8.count - 1) }
}

/// A key that can be a path below the store's directory.
struct FileStoreKey: Sendable {
    let text: String
    /// SHA-256 of the key in hexadecimal digits.
    let digest: String
    /// The paths of the folders on the way, relative to the store's directory, the outermost first.
    let folders: [String]

    /// Refuses with a sentence what no file could be called. Whether it goes with the objects that are there is looked
    /// at later (`StoreDirectory.checkPlace`).
    init(_ text: String, bytesMax: Int) throws(StoreError) {
        let segments = text.split(separator: "/", omittingEmptySubsequences: false)
        guard !text.utf8.contains(0), segments.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw StoreError(.keyUnsupported, "A directory cannot hold a key with an empty, . or .. segment.")
        }
        // Case-blind, because some file systems are. Odder aliases are caught by inode when the path is walked.
        guard segments.first?.lowercased() != FileStoreLayout.ownFolderName else {
            throw StoreError(.keyUnsupported, "Keys under .sluice/ are the gateways' own.")
        }
        guard text.utf8.count <= bytesMax else {
            throw StoreError(.keyUnsupported, "The key is too long for a path in this directory.")
        }
        guard segments.allSatisfy({ $0.utf8.count <= Int(NAME_MAX) }) else {
            throw StoreError(.keyUnsupported, "A segment of the key is longer than a file's name may be.")
        }
        self.text = text
        self.digest = String(describing: try keyDigest(text))
        self.folders = segments.indices.dropFirst().map { segments[..<$0].joined(separator: "/") }
    }
}
