#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The one owner of a file descriptor: it is closed exactly once, at the end of the scope that holds this.
///
/// Closing reports nothing. Whoever writes must have called `synchronize` before, which does.
package struct OpenFile: ~Copyable {
    package let descriptor: Int32

    /// - Parameter descriptor: as a system call returned it; a negative one throws what `errno` says.
    package init(_ descriptor: Int32, path: String, operation: FileError.Operation) throws(FileError) {
        guard descriptor >= 0 else { throw FileError(path: path, failed: operation, errno: errno) }
        self.descriptor = descriptor
    }

    /// The directory of a path, to name files relative to it however it may be moved meanwhile.
    package init(directoryOf path: String) throws(FileError) {
        let directory =
            // By bytes: a slash and a sign that combines with it are one `Character`.
            switch path.utf8.lastIndex(of: UInt8(ascii: "/")) {
            case nil: "."
            case path.startIndex: "/"
            case .some(let slash): String(path[..<slash])
            }
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try self.init(descriptor, path: path, operation: .openDirectory)
    }

    func status(path: String) throws(FileError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, failed: .inspect, errno: errno) }
        return status
    }

    /// What an administrator makes in a service's directory has to be the service's.
    func giveToOwner(ofDirectory directory: borrowing OpenFile, path: String) throws(FileError) {
        let owner = try directory.status(path: path)
        guard geteuid() == 0, owner.st_uid != (try status(path: path)).st_uid else { return }
        guard fchown(descriptor, owner.st_uid, owner.st_gid) == 0 else {
            throw FileError(path: path, failed: .setOwner, errno: errno)
        }
    }

    /// Writes all bytes, in as many calls as the system wants.
    package func write(_ bytes: [UInt8], path: String) throws(FileError) {
        var start = 0
        while start < bytes.count {
            let (written, code) = bytes[start...].withUnsafeBytes { rest in
                let written = writeToSystem(descriptor, rest.baseAddress, rest.count)
                return (written, errno)
            }
            if written >= 0 {
                start += written
            } else if code != EINTR {
                throw FileError(path: path, failed: .write, errno: code)
            }
        }
    }

    /// Reads to the end of the file, but never more than `bytesMax` bytes; a longer file throws.
    package func readAll(bytesMax: Int, path: String) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        // One byte more than allowed shows that there is more. In blocks, since files are far shorter than they may be.
        while bytes.count <= bytesMax {
            var code: Int32 = 0
            let block = [UInt8](unsafeUninitializedCapacity: min(64 << 10, bytesMax + 1 - bytes.count)) { room, count in
                let readCount = read(descriptor, room.baseAddress, room.count)
                code = readCount < 0 ? errno : 0
                count = max(readCount, 0)
            }
            if code == EINTR { continue }
            guard code == 0 else { throw FileError(path: path, failed: .read, errno: code) }
            if block.isEmpty { return bytes }
            bytes += block
        }
        throw FileError(path: path, cause: .tooLong(bytesMax: bytesMax))
    }

    /// Returns when the disk has it.
    package func synchronize(path: String, operation: FileError.Operation) throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError(path: path, failed: operation, errno: errno) }
    }

    deinit {
        close(descriptor)
    }
}

/// `write` of the system, by a name that the method of this name does not hide.
private func writeToSystem(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ byteCount: Int) -> Int {
    write(descriptor, bytes, byteCount)
}
