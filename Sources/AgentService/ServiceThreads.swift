import NIOCore
import NIOPosix

/// The threads on which a period of the service waits for disks.
///
/// The journal has threads of its own: files that are slow to read, or lie on a disk that does not answer, would
/// otherwise keep every record waiting, also those of other folders.
struct ServiceThreads: Sendable {
    let files: NIOThreadPool
    let journal: NIOThreadPool

    init() {
        files = NIOThreadPool(numberOfThreads: max(4, System.coreCount * 2))
        // A question does not wait for a transaction that is being written.
        journal = NIOThreadPool(numberOfThreads: 2)
        files.start()
        journal.start()
    }

    /// Ends the threads, after the work that they have begun.
    func end() async {
        for pool in [files, journal] {
            // try?: nothing is left to be done if the pool has ended already.
            try? await pool.shutdownGracefully()
        }
    }
}
