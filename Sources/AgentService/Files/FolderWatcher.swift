package import FolderCore
import SystemSupport

/// Reports changes of the watched folders as the kernel notices them (inotify), by the events `noticed` and `watching`.
///
/// Reports are hints: they may be late, doubled or lost. `watching(_, false)` says that reports were or will be lost,
/// because the folder is missing, a limit of the system was reached, or the file system is shared with other computers.
/// The watcher then tries to watch the folder again, at first after a second and later every half minute.
package final class FolderWatcher: Sendable {
    private let thread: StoppableThread?

    /// Starts the thread of the watcher.
    ///
    /// - Parameters:
    ///   - watchesMax: most directories that are watched; the system has a limit of its own.
    ///   - report: called on the thread of the watcher. It must not block for long, because reports wait in a queue of
    ///     the kernel meanwhile.
    package init(
        folders: [(id: FolderID, files: FolderFiles)], watchesMax: Int = .max,
        report: @escaping @Sendable (FolderEvent) -> Void
    ) {
        thread = StoppableThread { stopEnd in
            WatchLoop(folders: folders, watchesMax: watchesMax, stopEnd: stopEnd, report: report).run()
        }
        // Scans find the changes all the same.
        if thread == nil { for folder in folders { report(.watching(folder.id, false)) } }
    }

    /// Ends the watching. A report that is being made at this moment may still arrive. Safe to repeat.
    package func stop() { thread?.stop() }
}
