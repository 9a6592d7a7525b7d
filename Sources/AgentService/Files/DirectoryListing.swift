#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reads the names in a directory, in no particular order.
struct DirectoryListing: ~Copyable {
    /// What a name is, as far as the directory says.
    enum Kind {
        case file, directory
        /// A symbolic link, pipe, socket or device. None of them is sent.
        case other
        /// The file system does not keep it in the directory.
        case unknown
    }

    private let entries: OpaquePointer

    init(of directory: borrowing OpenDirectory) throws(FolderError) {
        // Reading moves a position that all copies of a descriptor share, so open the directory once more.
        let again = openat(directory.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard again >= 0 else { throw FolderError(number: errno) }
        guard let entries = fdopendir(again) else {
            let number = errno
            close(again)
            throw FolderError(number: number)
        }
        self.entries = entries
    }

    deinit {
        closedir(entries)
    }

    /// The next name; `nil` after the last one.
    mutating func next() throws(FolderError) -> (name: [UInt8], kind: Kind)? {
        while true {
            // `readdir` returns `nil` at the end and on errors, and sets `errno` only on errors.
            errno = 0
            guard let entry = readdir(entries) else {
                guard errno == 0 else { throw FolderError(number: errno) }
                return nil
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { continue }
            switch Int32(entry.pointee.d_type) {
            case Int32(DT_REG): return (name, .file)
            case Int32(DT_DIR): return (name, .directory)
            case Int32(DT_UNKNOWN): return (name, .unknown)
            default: return (name, .other)
            }
        }
    }
}
