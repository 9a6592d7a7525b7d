import Synchronization
import TransferCommon
package import TransferCore
import WireProtocol

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The files below the paths that a push names, in a fixed order. At each level of the tree the walk holds names of one
/// directory, at most `namesMax`. It reads and sorts the names of a larger directory in several steps. Copies of a walk
/// share the position in such a directory, so only one of the copies may be used.
///
/// A path of a file yields that file under its own name. A path of a directory yields every regular file below it that
/// passes the filter, hidden files included, under the path relative to the directory. The walk does not follow
/// symbolic links below a directory, because they could lead in circles. The agent's own home is never sent. If two
/// named paths lead to files with the same key, the walk refuses both files.
package struct FileWalk: Sequence, IteratorProtocol, Sendable {
    /// What the walk found at a path.
    package enum Finding: Equatable, Sendable {
        case file(FileLocation)
        /// The file or directory cannot be sent.
        case refused(UploadFailure)
        /// The agent's own home, which is never sent.
        case home
    }

    /// A path with its key and finding.
    package struct Found: Equatable {
        package var path: String
        /// Relative key, without the prefix of `push --prefix`.
        package var key: String
        package var finding: Finding

        package var failure: UploadFailure? {
            if case .refused(let failure) = finding { failure } else { nil }
        }
    }

    private enum Pending: Sendable {
        case root(PushedRoots.Root)
        /// A name in a directory, as bytes: names need not be UTF-8.
        case entry([UInt8], in: WalkedDirectory)
        case listing(DirectoryListing)
    }

    /// Stack of the paths that are still to be visited; the next one is the last element.
    private var pending: [Pending]
    private let filter: FileFilter
    private let home: FileIdentity?
    private let roots: PushedRoots
    /// Decides whether to interrupt the walk. Called before each system call; if it returns true, `next` returns `nil`
    /// although more files may follow.
    package var isInterrupted: @Sendable () -> Bool = { false }
    /// Maximum number of names of one directory in memory.
    package var namesMax = 65_536
    /// Whether `next` returns `nil` at a directory that cannot be opened for want of a descriptor, so that the caller
    /// can wait and call again. Otherwise the walk refuses such a directory.
    package var waitsForDescriptor = false
    /// Whether `next` has returned `nil` for want of a descriptor.
    package private(set) var lacksDescriptor = false

    /// What the walk has found below directories so far, and has left out.
    package private(set) var specialFiles = SpecialFiles()

    /// Whether the walk has unvisited files or directories.
    package var hasMore: Bool { !pending.isEmpty }

    /// - Parameters:
    ///   - paths: paths as the user named them.
    ///   - home: the agent's home.
    package init(paths: [String], filter: FileFilter = FileFilter(), home: FileIdentity? = nil) {
        self.filter = filter
        self.home = home
        roots = PushedRoots(paths, filter: filter, home: home)
        pending = roots.all.reversed().map { .root($0) }
    }

    /// Whether a path names a directory, or a symbolic link to a directory.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package mutating func next() -> Found? {
        lacksDescriptor = false
        while !isInterrupted(), let next = pending.popLast() {
            let found =
                switch next {
                case .root(let root): look(at: root)
                case .entry(let name, let directory): look(at: name, in: directory)
                case .listing(let listing): continueList(listing)
                }
            guard let found else { continue }
            guard waitsForDescriptor, found.failure?.kind == .tooManyOpenFiles else { return found }
            lacksDescriptor = true
            // Nothing of the directory is on the stack yet: put the directory back, to try again.
            pending.append(next)
            return nil
        }
        return nil
    }

    // MARK: Named paths

    private mutating func look(at root: PushedRoots.Root) -> Found? {
        var status = stat()
        guard stat(root.path, &status) == 0 else {
            return refused(root, UploadFailure(lookingAt: root.path, errno: errno))
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            if home?.contains(root.path) == true { return refused(root, .ownFile) }
            if let other = roots.otherFile(for: Array(root.key.utf8), than: root.number) {
                return refused(root, .sameKey(root.key, as: other))
            }
            return Found(path: root.path, key: root.key, finding: .file(FileLocation(root: root.path)))
        case S_IFDIR:
            if home?.contains(root.path) == true { return refused(root, .ownFile) }
            do throws(UploadFailure) {
                let directory = try WalkedDirectory(root: root)
                return try descend(directory)
            } catch {
                return refused(root, error)
            }
        default:
            return refused(root, .noRegularFile)
        }
    }

    private func refused(_ root: PushedRoots.Root, _ failure: UploadFailure) -> Found {
        Found(path: root.path, key: root.key, finding: .refused(failure))
    }

    // MARK: Below a named directory

    private mutating func look(at name: [UInt8], in directory: WalkedDirectory) -> Found? {
        let below = directory.below + name
        let text = String(validating: name, as: UTF8.self)
        let path = FileLocation.joined(directory.path, text ?? Self.shown(name))
        // A name that is not UTF-8 is shown with visible bytes. No key equals it, because a key has no backslash.
        let key = text == nil ? Self.shown(below) : String(decoding: below, as: UTF8.self)
        func refused(_ failure: UploadFailure) -> Found {
            var failure = failure
            if text == nil { failure.pathBytes = FileLocation.joined(directory.path, name) }
            return Found(path: path, key: key, finding: .refused(failure))
        }
        guard let status = directory.status(of: name) else {
            return refused(UploadFailure(lookingAt: path, errno: errno))
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            guard filter.sendsFile(below) else {
                specialFiles.filteredCount += 1
                return nil
            }
            guard text != nil else { return refused(.notUTF8) }
            if let other = roots.otherFile(for: below, than: directory.root.number) {
                return refused(.sameKey(key, as: other))
            }
            return Found(path: path, key: key, finding: .file(FileLocation(root: directory.root.path, below: key)))
        case S_IFDIR:
            guard filter.entersDirectory(below) else {
                specialFiles.filteredCount += 1
                return nil
            }
            guard text != nil else { return refused(.notUTF8) }
            do throws(UploadFailure) {
                let child = try WalkedDirectory(name, in: directory, path: path)
                guard child.identity != home else {
                    return Found(path: path, key: key, finding: .home)
                }
                return try descend(child)
            } catch {
                return refused(error)
            }
        default:
            if let kind = SpecialFiles.Kind(mode: status.st_mode), filter.sendsFile(below) {
                let bytes = text == nil ? FileLocation.joined(directory.path, name) : nil
                specialFiles.add(kind, path: path, bytes: bytes)
            }
            return nil
        }
    }

    private mutating func continueList(_ listing: DirectoryListing) -> Found? {
        do throws(UploadFailure) {
            try readNames(listing)
            return nil
        } catch {
            let directory = listing.directory
            let key = String(decoding: directory.below.dropLast(), as: UTF8.self)
            return Found(path: directory.path, key: key, finding: .refused(error))
        }
    }

    /// Always returns `nil`: the names follow as entries of the stack.
    private mutating func descend(_ directory: WalkedDirectory) throws(UploadFailure) -> Found? {
        try readNames(try DirectoryListing(of: directory))
        return nil
    }

    /// Puts the next names of a directory on the stack, and below them its listing if more names may follow.
    ///
    /// - Throws: if the listing ended early. The names read before the error are still visited.
    private mutating func readNames(_ listing: DirectoryListing) throws(UploadFailure) {
        let run = listing.next(atMost: namesMax, unless: isInterrupted)
        if !run.isLast { pending.append(.listing(listing)) }
        for name in run.names.sorted(by: { $1.lexicographicallyPrecedes($0) }) {
            pending.append(.entry(name, in: listing.directory))
        }
        if let failure = run.failure { throw failure }
    }

    private static func shown(_ name: [UInt8]) -> String {
        name.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "\\x" + hexadecimal([$0]) }.joined()
    }
}

/// A directory that a walk has entered. Its open descriptor keeps the walk inside this directory even if the directory
/// is moved meanwhile.
private final class WalkedDirectory: Sendable {
    let root: PushedRoots.Root
    let path: String
    /// Start of the key of every file in this directory, up to the file's name: empty, or ends in a slash.
    let below: [UInt8]
    let identity: FileIdentity
    private let descriptor: Int32

    /// - Throws: if the directory cannot be opened. Symbolic links in the path are followed, because the user named the
    ///   path.
    convenience init(root: PushedRoots.Root) throws(UploadFailure) {
        try self.init(open(root.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), root: root, path: root.path, below: [])
    }

    convenience init(
        _ name: [UInt8], in parent: WalkedDirectory, path: String
    ) throws(UploadFailure) {
        let descriptor = withPath(name) {
            openat(parent.descriptor, $0, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        }
        try self.init(
            descriptor, root: parent.root, path: path, below: parent.below + name + [UInt8(ascii: "/")])
    }

    private init(
        _ descriptor: Int32, root: PushedRoots.Root, path: String, below: [UInt8]
    ) throws(UploadFailure) {
        guard descriptor >= 0 else { throw UploadFailure(lookingAt: path, errno: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let number = errno
            close(descriptor)
            throw UploadFailure(lookingAt: path, errno: number)
        }
        (self.descriptor, self.root, self.path, self.below) = (descriptor, root, path, below)
        identity = FileIdentity(status)
    }

    deinit {
        close(descriptor)
    }

    /// Status of a name in the directory, without following a link. `nil` with `errno` set if the call fails.
    func status(of name: [UInt8]) -> stat? {
        var status = stat()
        return withPath(name) { fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) } == 0 ? status : nil
    }

    /// Opens the directory a second time for a listing, because a listing closes its descriptor.
    fileprivate func openForListing() -> Int32 { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
}

private final class DirectoryListing: Sendable {
    struct Run {
        var names: [[UInt8]] = []
        var isLast = false
        var failure: UploadFailure?
    }

    private struct State {
        /// `nil` after the last name. A directory whose names are read in one step therefore needs no descriptor
        /// afterwards.
        var stream: OpaquePointer?
        /// The names that an interrupted step has read.
        var names: [[UInt8]] = []
    }

    let directory: WalkedDirectory
    private let state: Mutex<State>

    init(of directory: WalkedDirectory) throws(UploadFailure) {
        let descriptor = directory.openForListing()
        guard descriptor >= 0 else { throw UploadFailure(lookingAt: directory.path, errno: errno) }
        guard let stream = fdopendir(descriptor) else {
            let number = errno
            close(descriptor)
            throw UploadFailure(lookingAt: directory.path, errno: number)
        }
        self.directory = directory
        state = Mutex(State(stream: stream))
    }

    deinit {
        state.withLock { if let stream = $0.stream { closedir(stream) } }
    }

    /// Reads the next names. Returns none if the step is interrupted; the next call then completes the step.
    func next(atMost count: Int, unless isInterrupted: () -> Bool) -> Run {
        state.withLock { state in
            guard let stream = state.stream else { return Run(isLast: true) }
            while state.names.count < count {
                if isInterrupted() { return Run() }
                // `readdir` returns `nil` at the end and on errors, and sets `errno` only on errors.
                errno = 0
                guard let entry = readdir(stream) else {
                    let number = errno
                    closedir(stream)
                    state.stream = nil
                    return Run(
                        names: state.names, isLast: true, failure: number == 0 ? nil : .listingFailed(number))
                }
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
                if !name.isDots { state.names.append(name) }
            }
            defer { state.names = [] }
            return Run(names: state.names)
        }
    }
}

extension UploadFailure {
    /// The agent's own home contains its private key and journal, so no file of it is sent.
    fileprivate static let ownFile = UploadFailure(
        .unreadable, "it belongs to the agent's own home, which is never sent; name something else")

    fileprivate static let notUTF8 = UploadFailure(.unreadable, "its name is not UTF-8, as keys have to be; rename it")

    fileprivate static func sameKey(_ key: String, as other: String) -> UploadFailure {
        UploadFailure(.keyInvalid, "it would have the same key as \(other), \(key), so neither is sent")
    }

    fileprivate static func listingFailed(_ number: Int32) -> UploadFailure {
        UploadFailure(
            .unreadable,
            "it could not be listed completely (\(systemMessage(number))), so some of its files may be missing; fix "
                + "that, then push it again")
    }
}
