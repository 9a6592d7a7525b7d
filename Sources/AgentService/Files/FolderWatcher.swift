package import FolderCore
import Synchronization
import SystemSupport

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reports changes of the watched folders as the kernel notices them (inotify), by the events `noticed` and `watching`.
///
/// Reports are hints: they may be late, doubled or lost. `watching(_, false)` says that reports were or will be lost,
/// because the folder is missing, a limit of the system was reached, or the file system is shared with other computers.
/// The watcher then tries to watch the folder again, at first after a second and later every half minute.
package final class FolderWatcher: Sendable {
    /// Writing end of the pipe whose closing ends the thread; `nil` after `stop`.
    private let end: Mutex<Int32?>

    /// Starts the thread of the watcher.
    ///
    /// - Parameters:
    ///   - watchesMax: most directories that are watched; the system has a limit of its own.
    ///   - report: called on the thread of the watcher. While it runs, reports wait in a queue of the kernel, so it must
    ///     not block for long.
    package init(
        folders: [(id: FolderID, files: FolderFiles)], watchesMax: Int = .max,
        report: @escaping @Sendable (FolderEvent) -> Void
    ) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            end = Mutex(nil)
            for folder in folders { report(.watching(folder.id, false)) }
            return
        }
        for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        let stopEnd = ends[0]
        let result = DetachedThread.start {
            WatchLoop(folders: folders, watchesMax: watchesMax, stopEnd: stopEnd, report: report).run()
            close(stopEnd)
        }
        guard result == 0 else {
            for descriptor in ends { close(descriptor) }
            end = Mutex(nil)
            for folder in folders { report(.watching(folder.id, false)) }
            return
        }
        end = Mutex(ends[1])
    }

    deinit {
        stop()
    }

    /// Ends the watching. A report that is being made at this moment may still arrive. Safe to repeat.
    package func stop() {
        if let descriptor = end.withLock({ $0.take() }) { close(descriptor) }
    }
}
