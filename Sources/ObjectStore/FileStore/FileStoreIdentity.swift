import Cryptography
import SystemSupport
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The store identity of a directory (specification §11.3): 32 random bytes in the file `.sluice/identity`. The first
/// gateway that opens the directory generates them, and they never change.
///
/// The file is one line: a word for its format, the identity's 64 digits, and the first 16 digits of the identity's
/// SHA-256, which show damage. A gateway refuses to open a store with a damaged file. It does not replace the file:
/// with a new identity, all proofs and receipts for objects in the store would name a store that no longer exists.
///
/// | step                         | left behind by a crash                                               |
/// |------------------------------|----------------------------------------------------------------------|
/// | 1 bytes written to staging   | a staged file; removed when a gateway starts                         |
/// | 2 file synced                | the same                                                             |
/// | 3 named `identity` if absent | the identity; after a power cut perhaps none; no gateway has used it |
/// | 4 `.sluice` synced           | the identity                                                         |
enum FileStoreIdentity {
    private static let form = "sluice-store-1"
    private static let checkDigits = 16
    private static let fileBytesMax = 256
    private static let fileName = "identity"

    static let damageSentence =
        "The file .sluice/identity in the store's directory is damaged. Bring it back from a copy. If there is none, "
        + "remove it: the store then gets another identity, and agents take it for another store."

    /// Returns the directory's durable identity. Several gateways may call this at the same time.
    static func readOrMake(
        _ layout: FileStoreLayout, _ instance: FileStoreInstance, _ files: FileSystem
    ) throws -> StoreIdentity {
        for _ in 1...attemptsMax {
            if let identity = try read(layout, files) {
                // Another gateway may have made the file and ended before it synced the folder.
                try files.syncFolder(layout.ownFolder)
                return identity
            }
            try make(layout, instance, files)
        }
        throw StoreError(.unavailable, "The file .sluice/identity in the store's directory keeps being removed.")
    }

    private static let attemptsMax = 10

    private static func read(_ layout: FileStoreLayout, _ files: FileSystem) throws -> StoreIdentity? {
        let bytes: [UInt8]
        do {
            let file = try files.open(layout.identity)
            guard try file.status().kind == .file else { throw StoreError(.damaged, damageSentence) }
            bytes = try file.read(fileBytesMax, at: 0)
        } catch let error as FileError {
            switch error.code {
            case ENOENT: return nil
            // ELOOP means that the path is a symbolic link, which the store does not follow. ENXIO means that it is a
            // socket.
            case ELOOP, ENXIO: throw StoreError(.damaged, damageSentence, cause: error)
            default: throw error
            }
        }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, let identity = StoreIdentity(String(words[1])),
            try bytes == Array(line(of: identity).utf8)
        else { throw StoreError(.damaged, damageSentence) }
        return identity
    }

    private static func make(
        _ layout: FileStoreLayout, _ instance: FileStoreInstance, _ files: FileSystem
    ) throws {
        guard let identity = StoreIdentity(bytes: try SecureRandom.publicBytes(count: StoreIdentity.byteCount)) else {
            throw StoreError(.unavailable)
        }
        let bytes = Array(try line(of: identity).utf8)
        let path = instance.makeStagingPath()
        do {
            let file = try files.createStoreFile(path)
            try file.write(bytes, at: 0)
            try file.sync()
            try giveName(to: path, layout, files)
        } catch {
            discard(path, files)
            throw error
        }
    }

    private static func giveName(to path: String, _ layout: FileStoreLayout, _ files: FileSystem) throws {
        let folder = OpenFolder(try files.openFolder(layout.ownFolder))
        do throws(FileError) {
            do throws(FileError) {
                try folder.takeIfAbsent(path, as: fileName)
            } catch {
                // The file system or the kernel cannot rename without replacing: link the file to the new name instead.
                guard error.code == EINVAL || error.code == ENOSYS else { throw error }
                try folder.link(path, as: fileName)
                discard(path, files)
            }
        } catch {
            guard error.code == EEXIST else { throw error }
            // Another gateway made the identity first. Use that one.
            discard(path, files)
        }
    }

    private static func discard(_ path: String, _ files: FileSystem) {
        do {
            try files.removeFile(path)
        } catch {
            // A failure is ignored: the next gateway that starts removes the staged file.
        }
    }

    private static func line(of identity: StoreIdentity) throws(CryptographyError) -> String {
        let check = try SHA256Digest.of(identity.bytes).description.prefix(checkDigits)
        return "\(form) \(identity) \(check)\n"
    }
}
