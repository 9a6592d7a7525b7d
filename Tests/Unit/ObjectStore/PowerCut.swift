import Foundation
import ObjectStore
import Synchronization
import SystemSupport

/// What happens to the changes that a process made to files when the process ends.
enum PowerCut: String, CaseIterable, Sendable {
    /// The process is killed: the kernel keeps all its changes.
    case nothingIsLost
    /// Unsynced changes are lost, both bytes of files and names in folders.
    case unsyncedIsLost
    /// Of unsynced bytes, the first half is kept and the rest becomes zeros. Names are kept.
    case unsyncedIsTorn
}

/// Records a store's changes, so that a simulated power cut can revert the unsynced ones.
final class VolatileDisk: Sendable {
    private struct Change {
        /// The folder whose sync makes the change durable.
        var folder: String
        var takeBack: @Sendable () throws -> Void
    }

    private struct State {
        var unsynced: Set<String> = []
        /// Changes of names, in order.
        var changes: [Change] = []
    }

    private let state = Mutex(State())
    /// A folder beside the store. It holds the files that the store has replaced or removed, so that a power cut can
    /// restore them.
    private let attic: String

    init(attic: String) throws {
        self.attic = attic
        try FileManager.default.createDirectory(atPath: attic, withIntermediateDirectories: true)
    }

    /// Records a call that is about to be made.
    func willPerform(_ call: FileCall) throws {
        let path = call.path
        switch call.operation {
        case .createFile:
            state.withLock { _ = $0.unsynced.insert(path) }
            // If the file has lost this name since then, there is nothing to remove.
            if !exists(path) { add(in: path) { [self] in if exists(path) { try remove(path) } } }
        case .write, .clone:
            state.withLock { _ = $0.unsynced.insert(path) }
        case .syncFile:
            state.withLock { _ = $0.unsynced.remove(path) }
        case .syncFolder:
            state.withLock { $0.changes.removeAll { $0.folder == path } }
        case .rename, .renameIfAbsent:
            // The call does nothing if the target exists, so there is nothing to record.
            if call.operation == .renameIfAbsent, let target = call.target, exists(target) { return }
            guard let target = call.target else { return }
            let restore = try keep(target)
            state.withLock { state in
                let moved = state.unsynced.filter { $0 == path || $0.utf8.starts(with: "\(path)/".utf8) }
                state.unsynced.subtract(moved)
                state.unsynced.formUnion(
                    moved.map { target + String(decoding: $0.utf8.dropFirst(path.utf8.count), as: UTF8.self) })
            }
            add(in: target) {
                try FileManager.default.moveItem(atPath: target, toPath: path)
                try restore()
            }
        case .link:
            guard let target = call.target, !exists(target) else { return }
            add(in: target) { [self] in try remove(target) }
        case .removeFile, .removeFolder:
            state.withLock { _ = $0.unsynced.remove(path) }
            let restore = try keep(path)
            add(in: path, restore)
        case .makeFolder:
            guard !exists(path) else { return }
            add(in: path) { [self] in if exists(path) { try remove(path) } }
        case .openFile, .openFolder, .openBeneath, .inspect, .read, .status, .list, .lock, .touch, .setOwner,
            .setPermissions:
            break
        }
    }

    /// Simulates the power cut, after the process has ended.
    func cut(_ cut: PowerCut) throws {
        guard cut != .nothingIsLost else { return }
        let (unsynced, changes) = state.withLock { ($0.unsynced, $0.changes) }
        for path in unsynced.sorted() where exists(path) {
            let bytes = try Data(contentsOf: URL(filePath: path))
            let kept = cut == .unsyncedIsLost ? Data() : bytes.prefix(bytes.count / 2)
            let torn = cut == .unsyncedIsLost ? Data() : kept + Data(count: bytes.count - kept.count)
            // Write in place, because the file's other names lose the same bytes.
            let handle = try FileHandle(forWritingTo: URL(filePath: path))
            try handle.truncate(atOffset: 0)
            try handle.write(contentsOf: torn)
            try handle.close()
        }
        guard cut == .unsyncedIsLost else { return }
        for change in changes.reversed() { try change.takeBack() }
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    private func add(in path: String, _ takeBack: @escaping @Sendable () throws -> Void) {
        let folder = parentPath(of: path)
        state.withLock { $0.changes.append(Change(folder: folder, takeBack: takeBack)) }
    }

    private func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

    /// Gives the file that has this name now a second name in `attic`, so that the file survives the loss of its name.
    ///
    /// - Returns: a closure that restores the name; it does nothing if no file had the name.
    private func keep(_ path: String) throws -> @Sendable () throws -> Void {
        guard exists(path) else { return {} }
        let kept = "\(attic)/\(UUID().uuidString)"
        try FileManager.default.linkItem(atPath: path, toPath: kept)
        return { try FileManager.default.linkItem(atPath: kept, toPath: path) }
    }
}
