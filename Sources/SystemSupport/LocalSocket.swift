import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Sockets by which programs of one machine talk to each other. Those that are streams have a place in the file system.
///
/// A socket's address has room for 107 bytes. A longer path is reached by a descriptor of its directory, as
/// `/proc/self/fd/N/NAME`.
package enum LocalSocket {
    private enum Call {
        case bind
        case connect
    }

    /// Makes a socket at the path, which only the user of this process and root may use. A socket that stands there
    /// already is replaced, so the caller must know that no process serves it. The socket does not listen yet.
    ///
    /// - Returns: the descriptor, which the caller closes.
    package static func bound(to path: String) throws(LocalSocketError) -> Int32 {
        try remove(path)
        let descriptor = try makeStream(for: path)
        // The kernel gives the file of the socket the mode of its descriptor, so at no moment others may use the file.
        guard fchmod(descriptor, 0o600) == 0 else { throw failed(errno, closing: descriptor, path) }
        try use(descriptor, .bind, path)
        return descriptor
    }

    /// Connects to a socket.
    ///
    /// - Parameter seconds: how long to wait for a process that accepts no connection.
    /// - Returns: the descriptor, which the caller closes.
    package static func connected(to path: String, patienceSeconds seconds: Int = 5) throws(LocalSocketError) -> Int32 {
        let descriptor = try makeStream(for: path)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        try use(descriptor, .connect, path)
        return descriptor
    }

    /// Whether a process listens at the path now.
    package static func isServed(at path: String) -> Bool {
        do {
            close(try connected(to: path, patienceSeconds: 1))
            return true
        } catch {
            // A queue that is full belongs to a process, too.
            return error.cause == .system(EAGAIN)
        }
    }

    /// Removes the file of a socket. A missing file is no error.
    package static func remove(_ path: String) throws(LocalSocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw LocalSocketError(path: path, cause: .system(errno)) }
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw LocalSocketError(path: path, cause: .occupied) }
        guard unlink(path) == 0 || errno == ENOENT else { throw LocalSocketError(path: path, cause: .system(errno)) }
    }

    /// Sends a datagram to the socket of another process. Never waits.
    ///
    /// - Parameter name: the path of the socket, or an abstract name: a zero byte, then any bytes.
    /// - Returns: whether the socket has taken it.
    package static func send(_ bytes: [UInt8], to name: [UInt8]) -> Bool {
        guard !name.isEmpty, name.count < pathCapacity else { return false }
        let descriptor = make(datagramKind)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        return withAddress(of: name) { sendto(descriptor, bytes, bytes.count, flags, $0, $1) } == bytes.count
    }

    // MARK: System calls

    private static let pathCapacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

    #if canImport(Musl)
        private static let streamKind = SOCK_STREAM
        private static let datagramKind = SOCK_DGRAM
    #else
        private static let streamKind = Int32(SOCK_STREAM.rawValue)
        private static let datagramKind = Int32(SOCK_DGRAM.rawValue)
    #endif

    /// - Returns: the descriptor; negative if the system has none left.
    private static func make(_ kind: Int32) -> Int32 {
        let descriptor = socket(AF_UNIX, kind, 0)
        if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return descriptor
    }

    private static func makeStream(for path: String) throws(LocalSocketError) -> Int32 {
        let descriptor = make(streamKind)
        guard descriptor >= 0 else { throw LocalSocketError(path: path, cause: .system(errno)) }
        return descriptor
    }

    /// The address of a socket, with exactly the bytes of its name: in an abstract name, zero bytes count, too.
    private static func withAddress<Result>(
        of name: [UInt8], _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        return withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// Binds or connects a socket, and closes it if that fails.
    private static func use(_ descriptor: Int32, _ call: Call, _ path: String) throws(LocalSocketError) {
        guard path.utf8.count >= pathCapacity else { return try use(descriptor, call, path, at: Array(path.utf8)) }
        let directory = open(FileSystem.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failed(errno, closing: descriptor, path) }
        defer { close(directory) }
        let short = Array("/proc/self/fd/\(directory)/\(FileSystem.name(of: path))".utf8)
        guard short.count < pathCapacity, access("/proc/self/fd", X_OK) == 0 else {
            throw failed(ENAMETOOLONG, closing: descriptor, path)
        }
        try use(descriptor, call, path, at: short)
    }

    private static func use(
        _ descriptor: Int32, _ call: Call, _ path: String, at place: [UInt8]
    ) throws(LocalSocketError) {
        let result = withAddress(of: place) { address, length in
            switch call {
            case .bind: bind(descriptor, address, length)
            case .connect: connect(descriptor, address, length)
            }
        }
        guard result == 0 else { throw failed(errno, closing: descriptor, path) }
    }

    private static func failed(_ number: Int32, closing descriptor: Int32, _ path: String) -> LocalSocketError {
        close(descriptor)
        return LocalSocketError(path: path, cause: number == ENAMETOOLONG ? .pathTooLong : .system(number))
    }
}

/// Why a local socket cannot be made or reached.
package struct LocalSocketError: Error, Equatable, CustomStringConvertible {
    /// The reason.
    package enum Cause: Equatable, Sendable {
        /// A system call failed with this error number.
        case system(Int32)
        /// A file that is no socket has the path.
        case occupied
        case pathTooLong
    }

    package let path: String
    package let cause: Cause

    package init(path: String, cause: Cause) {
        self.path = path
        self.cause = cause
    }

    /// Whether no process listens at the path.
    package var isUnserved: Bool {
        [.system(ENOENT), .system(ECONNREFUSED), .system(ENOTDIR)].contains(cause)
    }

    /// Whether this user may not use the socket.
    package var isForbidden: Bool { [.system(EACCES), .system(EPERM)].contains(cause) }

    package var description: String {
        switch cause {
        case .system(let number): "\(path) cannot be used (\(String(cString: strerror(number))))"
        case .occupied: "\(path) is no socket; move that file away"
        case .pathTooLong:
            "the path \(path) is too long for a socket (107 bytes) where /proc is not mounted; give the home a shorter "
                + "path"
        }
    }
}
