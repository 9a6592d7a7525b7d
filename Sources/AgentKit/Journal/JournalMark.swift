import SystemSupport

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Says that the journal's file is as an agent left it when it closed the journal. The next run then need not read the
/// whole file, which takes long if there are many receipts.
///
/// The mark is a file beside the journal with the stamp of the journal's file. It holds only while the journal's file
/// has this stamp and SQLite's write-ahead log is empty. A killed process and a power failure leave content in the log.
/// A process that holds the home's lock removes the mark when it opens the journal. If that process then fails before
/// it writes anything, the stamp still matches, but without the mark the next process examines the journal.
package struct JournalMark {
    private let journalPath: String
    private var path: String { journalPath + ".closed" }

    package init(of home: AgentHome) {
        journalPath = home.journalPath
    }

    /// Whether the journal's file is as it was when the mark was set.
    package var holds: Bool {
        guard let stamp = stamp() else { return false }
        do throws(FileError) {
            return try BoundedFile.read(path, bytesMax: 256, access: .ownerOnly) == stamp
        } catch {
            return false  // There is no mark, or it cannot be read: the journal is examined.
        }
    }

    /// Marks a journal as intact. The caller has closed the journal.
    package func set() {
        guard let stamp = stamp() else { return }
        // try?: without the mark, the next run examines the journal, which only takes longer.
        try? AtomicFile.write(stamp, to: path, mode: .ownerOnly)
    }

    /// Removes the mark. The next process then examines the journal, unless this process closes the journal in order.
    package func remove() {
        // Ignore a failure: the first write to the journal changes the stamp, and the mark then no longer holds.
        unlink(path)
    }

    /// The stamp of the journal's file; `nil` if the file is missing, or if SQLite's write-ahead log is not empty.
    private func stamp() -> [UInt8]? {
        var status = stat()
        guard stat(journalPath + "-wal", &status) != 0 || status.st_size == 0, stat(journalPath, &status) == 0 else {
            return nil
        }
        let times = [status.st_mtim, status.st_ctim].map { "\($0.tv_sec).\($0.tv_nsec)" }
        return Array("\(status.st_dev) \(status.st_ino) \(status.st_size) \(times[0]) \(times[1])\n".utf8)
    }
}
