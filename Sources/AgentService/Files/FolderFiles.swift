package import AgentKit
package import FolderCore
import Synchronization
package import TransferCommon
package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The files of one watched folder. Files are reached only by descriptors that are opened beneath the folder's root, so
/// that a symbolic link that another user puts into a path leads nowhere.
///
/// All methods block and belong on a thread pool. Several threads may call them at once for different paths. The root
/// is opened anew for each call: a disk can be unmounted while the service runs, and a folder that was replaced is
/// found again.
package final class FolderFiles: Sendable {
    let tree: FolderTree
    let names: FolderNames
    /// The agent's own home, which is never entered.
    let home: FileIdentity?
    private let looker: FileLooker
    private let hands: RemovalHands
    private let clock: FileClock
    /// The file system of the folder, as the last scan that found a name in it saw it.
    private let device = Mutex<UInt64?>(nil)

    /// A folder that does not exist now is no error: each scan reports it until the folder appears.
    ///
    /// - Parameters:
    ///   - root: path of the folder.
    ///   - movedTo: path of the directory for moved files; `nil` if none are moved.
    ///   - home: path of the agent's home.
    /// - Throws: if no file can be moved from this folder to that directory, or if a file of the home would be sent.
    package init(
        root: String, movedTo: String? = nil, names: FolderNames = FolderNames(), home: String? = nil,
        clock: FileClock, calls: FolderCalls = FolderCalls()
    ) throws(UploadFailure) {
        tree = FolderTree(root: root, calls: calls)
        self.names = names
        self.clock = clock
        self.home = home.flatMap { FileIdentity(of: $0) }
        looker = FileLooker(tree: tree, clock: clock)
        let destination = movedTo.map { FolderTree(root: $0, calls: calls) }
        hands = RemovalHands(tree: tree, destination: destination)
        if self.home?.contains(root) == true {
            throw UploadFailure(
                .unreadable, "\(root) lies in the agent's own home, which is never sent; choose another folder")
        }
        if let destination { try Self.check(tree, destination) }
    }

    private static func check(_ tree: FolderTree, _ destination: FolderTree) throws(UploadFailure) {
        do throws(FolderError) {
            let device = try tree.openRoot().device
            guard try destination.openRoot().device == device else {
                throw FolderError(number: EXDEV)
            }
        } catch {
            // A directory that is missing now may appear later. Until then each move reports it.
            guard error.number == EXDEV else { return }
            throw UploadFailure(
                .unreadable,
                "\(destination.root) is on another file system than \(tree.root), and a file can be moved safely only "
                    + "within one; choose a directory on the same disk")
        }
        if let root = FileIdentity(of: tree.root), root.contains(destination.root) {
            throw UploadFailure(
                .unreadable,
                "\(destination.root) lies in the folder \(tree.root), so that moved files would be sent again; choose "
                    + "a directory outside of it")
        }
    }

    /// Walks the folder.
    ///
    /// - Parameter each: called on this thread with up to a thousand entries at a time; returns false to stop.
    /// - Returns: why the scan is not complete; `nil` if it is.
    package func scan(_ each: ([ScanEntry]) -> Bool) -> String? {
        withoutActuallyEscaping(each) { each in
            var scanner = FolderScanner(tree, names, home: home, each)
            let failure = scanner.run()
            guard failure == nil, let found = scanner.device else { return failure }
            return device.withLock { device in
                // Without this check all files would count as deleted as soon as their disk is unmounted.
                if scanner.isEmpty, let device, device != found { return Self.unmounted }
                if !scanner.isEmpty { device = found }
                return nil
            }
        }
    }

    private static let unmounted =
        "the folder is empty, and on another file system than before; mount its disk, or restart the service if the "
        + "files were moved"

    /// Performs the action `look`. A file that the settings leave out counts as missing.
    package func look(_ path: ItemPath, _ wants: LookWants) -> LookResult {
        names.admitsBelow(path) ? looker.look(path, wants) : .missing
    }

    /// Performs a step of a removal. No removal begins of a file that the settings leave out: it was sent under earlier
    /// settings, and does not belong to the folder any more.
    package func perform(_ step: RemovalStep) -> RemovalAnswer {
        if let path = step.pathBeforeRemoval, !names.admitsBelow(path) { return .missing }
        return hands.perform(step, device: device.withLock { $0 })
    }

    /// The space on the folder's file system that this process may use; `nil` if the folder cannot be opened.
    package func freeBytes() -> UInt64? {
        var status = statvfs()
        guard statvfs(tree.root, &status) == 0 else { return nil }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : bytes
    }

    /// Opens a file for sending.
    ///
    /// - Throws: `missing` also if the path has another inode now.
    package func open(_ path: ItemPath, inode: UInt64) throws(UploadFailure) -> SourceFile {
        let file: SourceFile
        do throws(FolderError) {
            file = try tree.openFile(path)
        } catch {
            throw UploadFailure(error)
        }
        guard try file.stamp().inode == inode else {
            throw UploadFailure(.missing, "another file has its path now; the next scan finds both")
        }
        return file
    }

    /// What `StoredReading` needs, before and after a file is read: the stamp, what the file system guarantees, and the
    /// clock behind change times.
    package func reading(
        of file: SourceFile
    ) throws(UploadFailure) -> (stamp: FileStamp, fileSystem: FileSystemKind, systemTime: ModificationTime?) {
        // Taken before the stamp, so that the stamp never seems older than it is.
        let systemTime = clock.now()
        var reading = FileReading(file, syncsWrittenFile: true)
        defer { reading.release() }
        let stamp = try reading.stamp()
        return (stamp, reading.fileSystem, systemTime)
    }
}

extension UploadFailure {
    /// The failure for a file of a folder that cannot be opened.
    init(_ error: FolderError) {
        if error.isMissing {
            self.init(.missing, "there is no such file any more; the next scan finds where it went")
        } else if error.isLeased {
            self.init(.stillWritten)
        } else if error.lacksDescriptor {
            self.init(.tooManyOpenFiles)
        } else {
            self.init(.unreadable, error.reason)
        }
    }
}
