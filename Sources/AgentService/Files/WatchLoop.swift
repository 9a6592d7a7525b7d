import AgentKit
import FolderCore
import SystemSupport

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The thread of a `FolderWatcher`.
///
/// Each directory of a folder has a watch. A directory that is made or moved into the folder gets its watches when the
/// report about it comes; files that were made in it before are found by listing it then.
final class WatchLoop {
    private struct Folder {
        let id: FolderID
        let files: FolderFiles
        /// Device and inode of the root that is watched; `nil` if none is.
        var root: (device: UInt64, inode: UInt64)?
        /// Whether a directory of the folder has no watch.
        var isIncomplete = false
        /// The last value of `watching` that was reported.
        var reported: Bool?
    }

    /// Longest time between two checks whether the roots are still the ones that are watched: a disk that is mounted
    /// over a folder changes nothing that inotify reports.
    private static let pauseMaxMilliseconds: Int64 = 30_000
    private static let pauseMinMilliseconds: Int64 = 1_000

    private var folders: [Folder]
    private let watchesMax: Int
    private let stopEnd: Int32
    private let report: (FolderEvent) -> Void
    private var table = WatchTable()
    private var inotify: Int32 = -1
    private var pauseMilliseconds = WatchLoop.pauseMinMilliseconds
    private var nextCheck: Int64 = 0
    /// Marks of renames that give a file its own name back after a removal that was not completed.
    private var returns: Set<UInt32> = []

    init(
        folders: [(id: FolderID, files: FolderFiles)], watchesMax: Int, stopEnd: Int32,
        report: @escaping (FolderEvent) -> Void
    ) {
        self.folders = folders.map { Folder(id: $0.id, files: $0.files) }
        self.watchesMax = watchesMax
        self.stopEnd = stopEnd
        self.report = report
    }

    deinit {
        if inotify >= 0 { close(inotify) }
    }

    /// Watches until the other end of the pipe is closed.
    func run() {
        while true {
            let now = Self.milliseconds()
            if now >= nextCheck { check(now: now) }
            var polled = [
                pollfd(fd: stopEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: inotify, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polled, 2, Int32(clamping: max(nextCheck - now, 0)))
            if ready > 0, polled[0].revents != 0 { return }
            if ready > 0, polled[1].revents != 0 { readEvents() }
        }
    }

    private static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    // MARK: Folders

    /// Watches each folder that is not watched completely, or whose path leads to another directory now.
    private func check(now: Int64) {
        if inotify < 0 { inotify = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) }
        for index in folders.indices { check(index) }
        nextCheck = now + pauseMilliseconds
        pauseMilliseconds = min(pauseMilliseconds * 2, Self.pauseMaxMilliseconds)
    }

    private func check(_ index: Int) {
        do throws(FolderError) {
            let root = try folders[index].files.tree.openRoot()
            if let watched = folders[index].root {
                if watched != (root.device, root.inode) {
                    lose(index)
                } else if !folders[index].isIncomplete {
                    return
                }
            }
            folders[index].isIncomplete = false
            try watch([], within: root, index, reportsFiles: false)
            guard table.contains(index) else { return say(index, false) }
            folders[index].root = (root.device, root.inode)
            // Other computers may change files without a report.
            let isShared = root.isShared
            say(index, !folders[index].isIncomplete && !isShared)
        } catch {
            lose(index)
        }
    }

    /// Forgets the watches of a folder, because its root is gone or another one.
    private func lose(_ index: Int) {
        for watch in table.remove(index, below: []) { _ = inotify_rm_watch(inotify, watch) }
        folders[index].root = nil
        say(index, false)
    }

    private func say(_ index: Int, _ isWatched: Bool) {
        guard folders[index].reported != isWatched else { return }
        folders[index].reported = isWatched
        report(.watching(folders[index].id, isWatched))
    }

    /// Begins anew after the kernel has dropped reports.
    private func overflowed() {
        close(inotify)
        inotify = -1
        table = WatchTable()
        for index in folders.indices {
            folders[index].root = nil
            // Say it also of a folder for which it was said before: more reports are lost.
            folders[index].reported = nil
            say(index, false)
        }
        nextCheck = 0
    }

    // MARK: Directories

    /// Watches a directory and those below it.
    ///
    /// - Parameters:
    ///   - start: empty for the root; otherwise names that end with a slash.
    ///   - reportsFiles: whether the files in the directories are reported as changed.
    /// - Throws: if the root cannot be listed.
    private func watch(
        _ start: [UInt8], within root: borrowing OpenDirectory, _ index: Int, reportsFiles: Bool
    ) throws(FolderError) {
        var pending = [start]
        while let path = pending.popLast() {
            do throws(FolderError) {
                if path.isEmpty {
                    try watch(path, root, index, reportsFiles: reportsFiles, &pending)
                } else {
                    let directory = try folders[index].files.tree.openDirectory(path, within: root)
                    try watch(path, directory, index, reportsFiles: reportsFiles, &pending)
                }
            } catch {
                if path.isEmpty { throw error }
                // A directory that was removed meanwhile needs no watch.
                if !error.isMissing { folders[index].isIncomplete = true }
            }
        }
    }

    private func watch(
        _ path: [UInt8], _ directory: borrowing OpenDirectory, _ index: Int, reportsFiles: Bool,
        _ pending: inout [[UInt8]]
    ) throws(FolderError) {
        let files = folders[index].files
        if files.home?.isDirectory(device: directory.device, inode: directory.inode) == true { return }
        // By the descriptor, because another directory or a symbolic link may have the path by now.
        let watch =
            table.count < watchesMax
            ? inotify_add_watch(inotify, "/proc/self/fd/\(directory.descriptor)", Self.mask) : -1
        if watch >= 0 {
            table[watch] = WatchTable.Directory(folder: index, path: path)
        } else {
            folders[index].isIncomplete = true
        }
        // The watch comes before the listing, so that no change falls between them.
        var listing = try DirectoryListing(of: directory)
        while let (name, kind) = try listing.next() {
            let below = path + name
            let isDirectory =
                try kind == .unknown ? directory.status(of: name)?.isDirectory == true : kind == .directory
            if isDirectory {
                if files.names.filter.entersDirectory(below) { pending.append(below + [UInt8(ascii: "/")]) }
            } else if reportsFiles, kind != .other {
                say(index, below, .changed)
            }
        }
    }

    private static let mask =
        UInt32(IN_CREATE) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO) | UInt32(IN_DELETE)
        | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR) | UInt32(IN_EXCL_UNLINK)

    // MARK: Reports of the kernel

    private func readEvents() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while inotify >= 0 {
            let count = read(inotify, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                return
            }
            for event in WatchEvent.events(in: buffer[..<count]) {
                guard event.mask & UInt32(IN_Q_OVERFLOW) == 0 else { return overflowed() }
                take(event)
            }
        }
    }

    private func take(_ event: WatchEvent) {
        guard let directory = table[event.watch] else { return }
        let gone = UInt32(IN_IGNORED) | UInt32(IN_DELETE_SELF) | UInt32(IN_UNMOUNT)
        if event.mask & gone != 0 || event.mask & UInt32(IN_MOVE_SELF) != 0 && directory.path.isEmpty {
            if event.mask & UInt32(IN_IGNORED) != 0 { table[event.watch] = nil }
            guard directory.path.isEmpty else { return }
            lose(directory.folder)
            pauseMilliseconds = Self.pauseMinMilliseconds
            nextCheck = min(nextCheck, Self.milliseconds() + pauseMilliseconds)
            return
        }
        guard !event.name.isEmpty else { return }
        let path = directory.path + event.name
        if event.mask & UInt32(IN_ISDIR) != 0 {
            changeDirectory(event, path, directory.folder)
        } else if let notice = notice(of: event) {
            say(directory.folder, path, notice)
        }
    }

    private func changeDirectory(_ event: WatchEvent, _ path: [UInt8], _ index: Int) {
        if event.mask & UInt32(IN_MOVED_FROM) != 0 {
            for watch in table.remove(index, below: path + [UInt8(ascii: "/")]) {
                _ = inotify_rm_watch(inotify, watch)
            }
        }
        guard event.mask & (UInt32(IN_CREATE) | UInt32(IN_MOVED_TO)) != 0,
            folders[index].files.names.filter.entersDirectory(path)
        else { return }
        do throws(FolderError) {
            let root = try folders[index].files.tree.openRoot()
            guard let watched = folders[index].root, watched == (root.device, root.inode) else { return }
            try watch(path + [UInt8(ascii: "/")], within: root, index, reportsFiles: true)
        } catch {
            // The next check finds that the folder is missing.
        }
        if folders[index].isIncomplete { say(index, false) }
    }

    private func notice(of event: WatchEvent) -> Notice? {
        let isAside = ItemPath(event.name).isAside
        if event.mask & UInt32(IN_MOVED_FROM) != 0, isAside {
            // The number of such renames at one moment is small.
            if returns.count >= 1_000 { returns.removeAll() }
            returns.insert(event.cookie)
        }
        guard !isAside else { return nil }
        if event.mask & UInt32(IN_MOVED_TO) != 0 {
            // A file that gets its own name back after a removal was not finished by its program at this moment.
            return returns.remove(event.cookie) == nil ? .movedHere : .changed
        }
        return event.mask & UInt32(IN_CLOSE_WRITE) != 0 ? .closedAfterWriting : .changed
    }

    private func say(_ index: Int, _ path: [UInt8], _ notice: Notice) {
        let names = folders[index].files.names
        let path = ItemPath(path)
        let file = names.needsMarkers && path.isMarker ? path.ofMarkedFile : path
        if names.admits(file) { report(.noticed(folders[index].id, path, notice)) }
    }
}
