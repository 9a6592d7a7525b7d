package import Logging
import Synchronization

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// One or more files of the home that belong together. A running gateway reads all of them again whenever one of them
/// has changed.
package final class WatchedFile<Value: Sendable>: Sendable {
    /// Identifies one state of the file. The stamp changes when the file is replaced and also when it is edited in
    /// place.
    private struct Stamp: Equatable {
        var device: UInt64
        var file: UInt64
        var size: Int64
        var modified: [Int]
        /// Change time. This is the only field that changes when an operator corrects the file's permissions.
        var changed: [Int]
    }

    private struct State {
        /// Stamps that the files had when they were last read, whether or not their content could be parsed. `nil`
        /// before the first read.
        var known: [Stamp?]?
        /// Stamps of the files when the newest system error was logged, so that the same error is not logged again. The
        /// entry of a missing file is `nil`.
        var unreadable: [Stamp?]?
    }

    private let paths: [String]
    private let name: String
    private let logger: Logger
    private let read: @Sendable () throws(GatewayHomeError) -> Value
    private let state = Mutex(State())

    /// - Parameters:
    ///   - path: path of the file, or of a symbolic link to it.
    ///   - name: name of the file in log messages.
    ///   - read: reads and parses the file.
    package convenience init(
        _ path: String, _ name: String, logger: Logger,
        read: @escaping @Sendable () throws(GatewayHomeError) -> Value
    ) {
        self.init([path], name, logger: logger, read: read)
    }

    /// Creates a watch on several files that `read` reads together.
    package init(
        _ paths: [String], _ name: String, logger: Logger,
        read: @escaping @Sendable () throws(GatewayHomeError) -> Value
    ) {
        self.paths = paths
        self.name = name
        self.logger = logger
        self.read = read
    }

    /// Reads the content at start. Throws if the file is unreadable, because a gateway must not serve without it.
    package func initial() throws(GatewayHomeError) -> Value {
        // Take the stamp before reading: if the file changes during the read, the next call of `changed` sees another
        // stamp and reads again.
        let stamp = stamp()
        let value = try read()
        state.withLock { $0.known = stamp }
        return value
    }

    /// The content, if the file has changed since the last read.
    ///
    /// Returns `nil` also if the file cannot be read or parsed. The gateway then keeps the previous content, because a
    /// typing error must not cut off all devices. The error is logged once for each state of the file. After a system
    /// error the next call reads the file again, so that a temporary shortage of resources cannot hide a revocation.
    package func changed() -> Value? {
        let newest = stamp()
        guard state.withLock({ $0.known != newest }) else { return nil }
        do {
            let value = try read()
            state.withLock { $0 = State(known: newest) }
            logger.info("Read a file again", metadata: ["file": "\(name)"])
            return value
        } catch {
            let isPassing = error.isOfSystem
            let isNews = state.withLock { state in
                defer { if isPassing { state.unreadable = newest } else { state = State(known: newest) } }
                return !isPassing || state.unreadable != newest
            }
            if isNews {
                logger.log(
                    "A file cannot be read; the gateway keeps what it has read before", error, at: .error,
                    ["file": "\(name)"])
            }
            return nil
        }
    }

    private func stamp() -> [Stamp?] { paths.map { Self.stamp(of: $0) } }

    private static func stamp(of path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            device: UInt64(status.st_dev), file: UInt64(status.st_ino), size: Int64(status.st_size),
            modified: [status.st_mtim.tv_sec, status.st_mtim.tv_nsec],
            changed: [status.st_ctim.tv_sec, status.st_ctim.tv_nsec])
    }
}
