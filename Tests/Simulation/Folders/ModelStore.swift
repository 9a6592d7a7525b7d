import FolderCore
import TransferCommon

/// An object of the model.
struct ModelObject: Hashable {
    var content: [UInt8]
    var session: SessionID
}

/// The stores that gateways use, by identity. One of them is in use.
struct ModelStore {
    private(set) var identity = ModelDigest.root(of: [1])
    private var objects: [StoreIdentity: [ObjectKey: ModelObject]] = [:]
    /// Earlier versions of objects, in a bucket that keeps them.
    private var versions: [StoreIdentity: Set<[UInt8]>] = [:]
    let keepsVersions: Bool
    private var swaps: UInt8 = 1

    init(keepsVersions: Bool) {
        self.keepsVersions = keepsVersions
    }

    /// Another, empty store is in use from now on.
    mutating func swap() {
        swaps += 1
        identity = ModelDigest.root(of: [swaps])
    }

    func object(_ key: ObjectKey, in store: StoreIdentity? = nil) -> ModelObject? {
        objects[store ?? identity]?[key]
    }

    mutating func put(_ key: ObjectKey, _ object: ModelObject?) {
        if keepsVersions, let former = objects[identity]?[key] {
            versions[identity, default: []].insert(former.content)
        }
        objects[identity, default: [:]][key] = object
    }

    /// Whether the store has the content under the key, or as an earlier version.
    func has(_ content: [UInt8], under key: ObjectKey, in store: StoreIdentity) -> Bool {
        objects[store]?[key]?.content == content || versions[store]?.contains(content) == true
    }
}

/// A stand-in for SHA-256. It is enough that different contents of the model have different digests.
enum ModelDigest {
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash ^= hash >> 29
        return hash &* 0xBF58_476D_1CE4_E5B9
    }

    static func root(of content: some Collection<UInt8>) -> SHA256Digest {
        let words = (hash(content), hash(Array(content) + [0xA5]))
        let bytes = withUnsafeBytes(of: (words.0, words.1, UInt64(content.count), words.0 ^ words.1)) { Array($0) }
        return SHA256Digest(bytes: bytes) ?? .zero
    }
}
