import SystemSupport
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension StoreError {
    /// Translates a failed system call into a store error, for methods that know nothing more precise about the
    /// failure.
    init(_ error: FileError) {
        switch error.code {
        case ENOSPC, EDQUOT:
            self.init(.full, cause: error)
        case EACCES, EPERM:
            self.init(.denied, "The gateway lacks the permissions for the store's directory.", cause: error)
        case EROFS:
            self.init(.denied, "The store's directory is on a read-only file system.", cause: error)
        case EMFILE, ENFILE:
            self.init(
                .unavailable, "The gateway has too few descriptors for the store's files: \(DescriptorLimit.advice).",
                cause: error)
        case ENOENT:
            // A method that allows for a missing file handles ENOENT itself. If the error arrives here, a file or
            // folder that must exist is missing.
            self.init(.bucketMissing, "A file or folder is missing in the store's directory.", cause: error)
        case ENAMETOOLONG, ENOTDIR, EISDIR, ELOOP, EILSEQ:
            self.init(.keyUnsupported, "The file system cannot hold this key.", cause: error)
        case EXDEV:
            self.init(.keyUnsupported, "The key's folder lies on another file system than the store.", cause: error)
        case EINVAL where [.rename, .renameIfAbsent, .link, .makeFolder].contains(error.call?.operation):
            self.init(.keyUnsupported, "The file system cannot hold this key.", cause: error)
        case EFBIG:
            self.init(.tooLarge, "The file system does not accept files of this size.", cause: error)
        case EEXIST, ENOTEMPTY:
            self.init(.damaged, "A path that only the gateway uses is already taken.", cause: error)
        case EIO:
            self.init(.unavailable, "The disk reported an error.", cause: error)
        default:
            self.init(.unavailable, "The file system could not do this now.", cause: error)
        }
    }

    /// The error of a method on the directory as a sentence for the log. It names the file, without its directory.
    static func sentence(of error: any Error) -> String {
        (error as? FileError)?.description ?? StoreError(anyFrom: error).sentence
    }

    /// Translates any error of a method on the directory into a store error.
    init(anyFrom error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as FileError: self.init(error)
        case is CancellationError: self.init(.cancelled, cause: error)
        default: self.init(.unavailable, cause: error)
        }
    }
}
