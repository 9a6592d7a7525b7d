import AgentKit
import FolderCore
import Synchronization
import SystemSupport
import TransferCommon
import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Performs the steps of removals. `RemovalStep` says what each step does.
///
/// The read lease that a step has taken under a hidden name is kept until the next step with that hidden name has
/// ended.
final class RemovalHands: Sendable {
    private let tree: FolderTree
    /// The directory for moved files; `nil` if none are moved.
    private let destination: FolderTree?
    /// The files whose leases are kept, by their hidden names.
    private let leased = Mutex<[ItemPath: SourceFile]>([:])

    init(tree: FolderTree, destination: FolderTree?) {
        self.tree = tree
        self.destination = destination
    }

    /// - Parameter device: the file system of the folder, if a scan has seen it. On another one the step fails, so that
    ///   the removal waits: a file whose disk is not mounted is neither gone nor changed.
    func perform(_ step: RemovalStep, device: UInt64?) -> RemovalAnswer {
        // Leaving this scope closes the file, which releases its lease.
        let held = step.aside.flatMap { aside in leased.withLock { $0.removeValue(forKey: aside) } }
        return withExtendedLifetime(held) {
            if let problem = problem(ifNotOn: device) { return problem }
            let answer = attempt(step, held)
            // The disk may have been unmounted meanwhile.
            return answer.showsNoFile ? problem(ifNotOn: device) ?? answer : answer
        }
    }

    private func problem(ifNotOn device: UInt64?) -> RemovalAnswer? {
        guard let device else { return nil }
        do throws(FolderError) {
            guard try tree.openRoot().device != device else { return nil }
            return .failed("the folder is on another file system than before; mount its disk")
        } catch {
            return .failed(error.reason)
        }
    }

    private func attempt(_ step: RemovalStep, _ held: SourceFile?) -> RemovalAnswer {
        do {
            return try answer(to: step, held)
        } catch let error as FolderError {
            return error.isMissing ? .missing : .failed(error.reason)
        } catch let error as UploadFailure {
            return .failed(error.reason)
        } catch {
            return .failed(UploadFailure.cannotProcess(error).reason)
        }
    }

    private func answer(to step: RemovalStep, _ held: SourceFile?) throws -> RemovalAnswer {
        switch step {
        case .compare(let path, let partBytes): try read(path, partBytes, keepsLease: false)
        case .setAside(let path, let aside): try setAside(path, aside)
        case .compareAside(let aside): try read(aside, nil, keepsLease: true)
        case .hashAside(let aside, let partBytes): try read(aside, partBytes, keepsLease: true)
        case .unlink(let aside, let stamp): try unlink(aside, stamp, held)
        case .moveAway(let aside, let path, let stamp): try moveAway(aside, to: path, stamp, held)
        case .syncDirectory(let path): try syncDirectory(path)
        case .putBack(let aside, let path): try putBack(aside, to: path)
        case .findBoth(let path, let aside, _): try findBoth(path, aside)
        }
    }

    // MARK: Looks

    /// Reads stamp and root digest of a file.
    ///
    /// - Parameter partBytes: the part size; `nil` if no digest is wanted.
    private func read(_ path: ItemPath, _ partBytes: UInt64?, keepsLease: Bool) throws -> RemovalAnswer {
        var reading = FileReading(try tree.openFile(path), syncsWrittenFile: true)
        var isKept = false
        defer { if !isKept { reading.release() } }
        let before = try reading.stamp()
        var root: SHA256Digest?
        if let partBytes {
            let hasher = try RootHasher(partBytes: partBytes)
            try reading.read(upTo: nil, hasher.update)
            root = try hasher.finish()
        }
        let after = try reading.stamp()
        // What was read while the file changed is no version of it: another digest would only by chance be right.
        if after.difference(whileReading: before) == .changed { root = nil }
        if keepsLease, reading.lease == .granted {
            isKept = true
            let file = reading.file
            leased.withLock { $0[path] = file }
        }
        return .found(after, reading.lease, root: root)
    }

    private func findBoth(_ path: ItemPath, _ aside: ItemPath) throws -> RemovalAnswer {
        do throws(FolderError) {
            let directory = try tree.openDirectory(of: path)
            return .both(own: try directory.stamp(of: path.name), aside: try directory.stamp(of: aside.name) != nil)
        } catch {
            guard error.isMissing else { throw error }
            return .both(own: nil, aside: false)
        }
    }

    // MARK: Names

    private func setAside(_ path: ItemPath, _ aside: ItemPath) throws -> RemovalAnswer {
        let directory = try tree.openDirectory(of: path)
        if let answer = try renameIfAbsent(path.name, in: directory, to: aside.name, in: directory) { return answer }
        // Without that call, a link shows first whether this file system can give the file its own name back without
        // replacing another file. The hidden name is random, so that no other program uses it meanwhile.
        guard try directory.status(of: aside.name) == nil else { return .taken }
        do throws(FolderError) {
            try directory.link(path.name, to: aside.name, in: directory)
        } catch {
            guard [EPERM, EOPNOTSUPP, ENOSYS].contains(error.number) else { throw error }
            return .failed(
                "this file system can neither rename a file without replacing another nor link it, so that files "
                    + "cannot be removed safely; set after: keep for the folder")
        }
        try directory.unlink(aside.name)
        try directory.rename(path.name, to: aside.name)
        return .done
    }

    private func putBack(_ aside: ItemPath, to path: ItemPath) throws -> RemovalAnswer {
        let source = try tree.openDirectory(of: aside)
        guard try source.status(of: aside.name) != nil else { return .missing }
        guard !aside.directory.elementsEqual(path.directory) else {
            return try place(aside.name, of: source, at: path.name, in: source)
        }
        let target: OpenDirectory
        do throws(FolderError) {
            target = try tree.openDirectory(of: path)
        } catch {
            // The file still has its hidden name, so it is not missing.
            return .failed(error.reason)
        }
        return try place(aside.name, of: source, at: path.name, in: target)
    }

    private func unlink(_ aside: ItemPath, _ stamp: FileStamp, _ held: SourceFile?) throws -> RemovalAnswer {
        let directory = try tree.openDirectory(of: aside)
        guard try isUnchanged(aside, in: directory, stamp, held) else { return .changed }
        try directory.unlink(aside.name)
        return .done
    }

    private func moveAway(
        _ aside: ItemPath, to path: ItemPath, _ stamp: FileStamp, _ held: SourceFile?
    ) throws -> RemovalAnswer {
        guard let destination else { return .failed("the settings name no directory for moved files; set move-to") }
        let source = try tree.openDirectory(of: aside)
        guard try isUnchanged(aside, in: source, stamp, held) else { return .changed }
        do throws(FolderError) {
            let target = try destination.makeDirectory(path.directory)
            return try place(aside.name, of: source, at: path.name, in: target)
        } catch {
            // The file still has its hidden name, so it is not missing.
            let place = "the directory for moved files, \(destination.root)"
            return .failed(
                error.number == EXDEV
                    ? "\(place), is on another file system; choose a directory on the disk of the folder"
                    : "\(place), cannot be used: \(error.reason)")
        }
    }

    /// Gives a file with a hidden name another name, without replacing a file.
    private func place(
        _ aside: ArraySlice<UInt8>, of source: borrowing OpenDirectory, at name: ArraySlice<UInt8>,
        in target: borrowing OpenDirectory
    ) throws(FolderError) -> RemovalAnswer {
        if let answer = try renameIfAbsent(aside, in: source, to: name, in: target) { return answer }
        do throws(FolderError) {
            try source.link(aside, to: name, in: target)
        } catch {
            guard error.number == EEXIST else { throw error }
            // After a crash between the two calls the file has both names.
            let (own, other) = (try source.stamp(of: aside), try target.stamp(of: name))
            guard let own, own.inode == other?.inode, own.device == other?.device else { return .taken }
        }
        try source.unlink(aside)
        return .done
    }

    /// - Returns: `nil` if the file system or the kernel cannot rename without replacing.
    private func renameIfAbsent(
        _ name: ArraySlice<UInt8>, in source: borrowing OpenDirectory, to newName: ArraySlice<UInt8>,
        in target: borrowing OpenDirectory
    ) throws(FolderError) -> RemovalAnswer? {
        guard tree.calls.renamesIfAbsent else { return nil }
        do throws(FolderError) {
            try source.renameIfAbsent(name, to: newName, in: target)
            return .done
        } catch {
            if error.number == EEXIST { return .taken }
            guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(error.number) else { throw error }
            return nil
        }
    }

    /// Whether the file still has this stamp, and no process has broken the lease.
    private func isUnchanged(
        _ aside: ItemPath, in directory: borrowing OpenDirectory, _ stamp: FileStamp, _ held: SourceFile?
    ) throws -> Bool {
        let file = try tree.openFile(aside.name, in: directory)
        // Without a lease, stores through a mapping change the stamp only when the system writes the pages back.
        if held == nil, fsync(file.descriptor) != 0 {
            throw UploadFailure(lookingAt: aside.text, errno: errno)
        }
        guard try file.stamp() == stamp, try directory.stamp(of: aside.name) == stamp else { return false }
        return held.map(\.holdsReadLease) ?? true
    }

    // MARK: Durability

    private func syncDirectory(_ path: ItemPath) throws -> RemovalAnswer {
        do throws(FolderError) {
            try tree.openDirectory(of: path).sync()
        } catch {
            // A directory that was removed has no names to be made durable.
            guard error.isMissing else { throw error }
        }
        try destination?.syncDirectories(path.directory)
        return .done
    }
}

extension RemovalStep {
    /// The path of a file that the step is the first one to use; `nil` if the file is being removed already.
    var pathBeforeRemoval: ItemPath? {
        switch self {
        case .compare(let path, _): path
        // An unproven file that is shed has no hidden name.
        case .unlink(let path, _): path.isAside ? nil : path
        case .setAside, .compareAside, .hashAside, .moveAway, .syncDirectory, .putBack, .findBoth: nil
        }
    }

    /// The hidden name that the step uses; `nil` if it uses none.
    var aside: ItemPath? {
        switch self {
        case .compare, .syncDirectory: nil
        case .setAside(_, let aside), .compareAside(let aside), .hashAside(let aside, _), .unlink(let aside, _),
            .moveAway(let aside, _, _), .putBack(let aside, _), .findBoth(_, let aside, _):
            aside
        }
    }
}

extension RemovalAnswer {
    /// Whether no file was found that could be removed or get its name back.
    fileprivate var showsNoFile: Bool {
        switch self {
        case .missing, .both(own: nil, aside: false): true
        default: false
        }
    }
}
