package import Logging
import Synchronization

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file of the home as a gateway that serves sees it: read again whenever it has become another one.
package final class WatchedFile<Value: Sendable>: Sendable {
    /// What tells one state of the file from another: it is replaced as a whole, or edited in place.
    private struct Stamp: Equatable {
        var device: UInt64
        var file: UInt64
        var size: Int64
        var modified: [Int]
    }

    private let path: String
    private let name: String
    private let logger: Logger
    private let read: @Sendable () throws(GatewayHomeError) -> Value
    private let known = Mutex<Stamp?>(nil)

    /// - Parameters:
    ///   - path: of the file, or of a link to it.
    ///   - name: what the log calls it.
    ///   - read: gives the file's content.
    package init(
        _ path: String, _ name: String, logger: Logger,
        read: @escaping @Sendable () throws(GatewayHomeError) -> Value
    ) {
        self.path = path
        self.name = name
        self.logger = logger
        self.read = read
    }

    /// The content at start; a gateway does not serve with a file that it cannot read.
    package func initial() throws(GatewayHomeError) -> Value {
        // Looked at before it is read: a change in between is then seen as one.
        let stamp = stamp()
        let value = try read()
        known.withLock { $0 = stamp }
        return value
    }

    /// The content, if the file is not the one that was read last. One that cannot be understood is reported once, and
    /// what was read before goes on: a slip of the pen must not cut off a fleet.
    package func changed() -> Value? {
        let newest = stamp()
        let isNew = known.withLock { known in
            defer { known = newest }
            return known != newest
        }
        guard isNew else { return nil }
        do {
            let value = try read()
            logger.info("Read a file again", metadata: ["file": "\(name)"])
            return value
        } catch {
            logger.error("A file cannot be read", metadata: ["file": "\(name)", "error": "\(error)"])
            return nil
        }
    }

    /// `nil` while there is no such file.
    private func stamp() -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            device: UInt64(status.st_dev), file: UInt64(status.st_ino), size: Int64(status.st_size),
            modified: [status.st_mtim.tv_sec, status.st_mtim.tv_nsec])
    }
}
