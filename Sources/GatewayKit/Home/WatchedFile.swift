package import Logging
import Synchronization

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file of the home as a gateway that serves sees it, or some that belong together: read again whenever one has
/// become another.
package final class WatchedFile<Value: Sendable>: Sendable {
    /// What tells one state of the file from another: it is replaced as a whole, or edited in place.
    private struct Stamp: Equatable {
        var device: UInt64
        var file: UInt64
        var size: Int64
        var modified: [Int]
        /// A repair of its rights changes nothing but this.
        var changed: [Int]
    }

    private struct State {
        /// What was read last, or could not be understood.
        var known: [Stamp?]?
        /// What could not be read, and was complained of: perhaps that there is no file.
        var unreadable: [Stamp?]?
    }

    private let paths: [String]
    private let name: String
    private let logger: Logger
    private let read: @Sendable () throws(GatewayHomeError) -> Value
    private let state = Mutex(State())

    /// - Parameters:
    ///   - path: of the file, or of a link to it.
    ///   - name: what the log calls it.
    ///   - read: gives the file's content.
    package convenience init(
        _ path: String, _ name: String, logger: Logger,
        read: @escaping @Sendable () throws(GatewayHomeError) -> Value
    ) {
        self.init([path], name, logger: logger, read: read)
    }

    /// The same of several files that are read together.
    package init(
        _ paths: [String], _ name: String, logger: Logger,
        read: @escaping @Sendable () throws(GatewayHomeError) -> Value
    ) {
        self.paths = paths
        self.name = name
        self.logger = logger
        self.read = read
    }

    /// The content at start; a gateway does not serve with a file that it cannot read.
    package func initial() throws(GatewayHomeError) -> Value {
        // Looked at before it is read: a change in between is then seen as one.
        let stamp = stamp()
        let value = try read()
        state.withLock { $0.known = stamp }
        return value
    }

    /// The content, if the file is not the one that was read last.
    ///
    /// What was read before goes on where the file cannot be understood: a slip of the pen must not cut off a fleet. It
    /// is reported once, and so is a file that cannot be read, but that is tried again: a revocation must not be missed
    /// because the system was short of something.
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
                logger.error("A file cannot be read", metadata: ["file": "\(name)", "error": "\(error)"])
            }
            return nil
        }
    }

    /// `nil` for a file that is not there.
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
