#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The directories that have a watch.
struct WatchTable {
    /// A directory that is watched.
    struct Directory: Equatable {
        /// The place of the folder among the folders of the watcher.
        let folder: Int
        /// Empty for the root of the folder; otherwise names that end with a slash.
        let path: [UInt8]
    }

    private var directories: [Int32: Directory] = [:]

    var count: Int { directories.count }

    /// - Parameter watch: the number that the kernel has given to the watch.
    subscript(watch: Int32) -> Directory? {
        get { directories[watch] }
        set { directories[watch] = newValue }
    }

    /// Whether the root of a folder is watched.
    func contains(_ folder: Int) -> Bool {
        directories.values.contains(Directory(folder: folder, path: []))
    }

    /// Removes a directory of a folder and those below it.
    ///
    /// - Parameter path: empty for the root; otherwise names that end with a slash.
    /// - Returns: their watches.
    mutating func remove(_ folder: Int, below path: [UInt8]) -> [Int32] {
        let watches = directories.filter { $0.value.folder == folder && $0.value.path.starts(with: path) }.map(\.key)
        for watch in watches { directories[watch] = nil }
        return watches
    }
}

/// A report of the kernel about a watched directory.
struct WatchEvent: Equatable {
    let watch: Int32
    let mask: UInt32
    /// The same number in both reports about one rename.
    let cookie: UInt32
    /// The name in the directory; empty if the report is about the directory itself.
    let name: [UInt8]

    /// The reports in a buffer that the kernel has filled. A report that is cut short is left out.
    static func events(in bytes: ArraySlice<UInt8>) -> [WatchEvent] {
        var events: [WatchEvent] = []
        var rest = bytes
        while rest.count >= headerBytes {
            let header = rest.withUnsafeBytes { bytes in
                (0..<4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
            }
            guard let length = Int(exactly: header[3]), rest.count - headerBytes >= length else { return events }
            let name = rest.dropFirst(headerBytes).prefix(length).prefix { $0 != 0 }
            events.append(
                WatchEvent(
                    watch: Int32(bitPattern: header[0]), mask: header[1], cookie: header[2], name: Array(name)))
            rest = rest.dropFirst(headerBytes + length)
        }
        return events
    }

    /// The size of `struct inotify_event` without the name: four numbers of 32 bits.
    private static let headerBytes = 16
}
