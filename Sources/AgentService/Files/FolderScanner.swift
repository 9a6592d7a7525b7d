package import AgentKit
import FolderCore
import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Chooses which names of a folder are files to send.
package struct FolderNames: Sendable {
    /// The settings `include` and `exclude`.
    package var filter: FileFilter
    /// Whether NAME.done stands beside each finished file NAME, and is no file to send itself.
    package var needsMarkers: Bool

    package init(filter: FileFilter = FileFilter(), needsMarkers: Bool = false) {
        self.filter = filter
        self.needsMarkers = needsMarkers
    }

    /// Whether a file with this path is sent, if its directories are entered.
    func admits(_ path: ItemPath) -> Bool {
        !path.isAside && !(needsMarkers && path.isMarker) && filter.sendsFile(path.bytes)
    }

    /// Whether a file with this path is sent, after a look at each directory of the path.
    func admitsBelow(_ path: ItemPath) -> Bool {
        let bytes = path.bytes
        return admits(path)
            && bytes.indices.allSatisfy { index in
                bytes[index] != UInt8(ascii: "/") || filter.entersDirectory(Array(bytes[..<index]))
            }
    }
}

/// Walks a folder. Opens one directory at a time, so that a deep folder needs no more descriptors than a flat one.
struct FolderScanner {
    /// Most entries that `each` is called with at once.
    static let batchMax = 1_000

    private let tree: FolderTree
    private let names: FolderNames
    private let home: FileIdentity?
    private let each: ([ScanEntry]) -> Bool
    /// The directories that are still to be listed: empty for the root, otherwise with a slash at the end.
    private var pending: [[UInt8]] = [[]]
    private var batch: [ScanEntry] = []
    private var failure: String?
    private var isStopped = false
    /// Whether the folder has no names at all.
    private(set) var isEmpty = true
    /// The file system of the folder; `nil` if the folder could not be opened.
    private(set) var device: UInt64?

    /// - Parameter home: the agent's own home, which is never entered.
    init(_ tree: FolderTree, _ names: FolderNames, home: FileIdentity?, _ each: @escaping ([ScanEntry]) -> Bool) {
        self.tree = tree
        self.names = names
        self.home = home
        self.each = each
    }

    /// - Returns: why the scan is not complete; `nil` if it is.
    mutating func run() -> String? {
        do throws(FolderError) {
            let root = try tree.openRoot()
            device = root.device
            while !isStopped, let directory = pending.popLast() { try visit(directory, within: root) }
        } catch {
            failure = failure ?? error.reason
        }
        report()
        return isStopped ? "the scan was stopped" : failure
    }

    /// - Throws: if the root cannot be listed. Directories below it that cannot be listed are noted in `failure`.
    private mutating func visit(_ directory: [UInt8], within root: borrowing OpenDirectory) throws(FolderError) {
        do throws(FolderError) {
            if directory.isEmpty {
                try list(directory, root)
            } else {
                try list(directory, tree.openDirectory(directory, within: root))
            }
        } catch {
            if directory.isEmpty { throw FolderError(number: error.number, isOfRoot: true) }
            // A directory that was removed meanwhile has no files. One that was renamed is found by the next scan.
            if !error.isMissing { note(directory.dropLast(), error) }
        }
    }

    private mutating func list(_ path: [UInt8], _ directory: borrowing OpenDirectory) throws(FolderError) {
        if home?.isDirectory(device: directory.device, inode: directory.inode) == true { return }
        var listing = try DirectoryListing(of: directory)
        while !isStopped, let (name, kind) = try listing.next() {
            isEmpty = false
            visit(name, kind, in: directory, at: path)
        }
    }

    private mutating func visit(
        _ name: [UInt8], _ kind: DirectoryListing.Kind, in directory: borrowing OpenDirectory, at path: [UInt8]
    ) {
        let below = path + name
        switch kind {
        case .directory: enter(below)
        case .file, .unknown:
            // Most names are regular files. The filter saves the call for those that are not sent.
            guard kind == .unknown || names.admits(ItemPath(below)) else { return }
            do throws(FolderError) {
                guard let status = try directory.status(of: name) else { return }
                if status.isDirectory { enter(below) }
                let file = ItemPath(below)
                guard status.isRegularFile, kind == .file || names.admits(file) else { return }
                let hasMarker = names.needsMarkers ? try directory.stamp(of: file.marker.name) != nil : false
                batch.append(ScanEntry(file, FileStamp(status), hasMarker: hasMarker))
                if batch.count >= Self.batchMax { report() }
            } catch {
                if !error.isMissing { note(below, error) }
            }
        case .other: return
        }
    }

    private mutating func enter(_ path: [UInt8]) {
        if names.filter.entersDirectory(path) { pending.append(path + [UInt8(ascii: "/")]) }
    }

    private mutating func report() {
        guard !batch.isEmpty, !isStopped else { return }
        isStopped = !each(batch)
        batch.removeAll(keepingCapacity: true)
    }

    private mutating func note(_ path: some Sequence<UInt8>, _ error: FolderError) {
        failure = failure ?? "\(ItemPath(path)) cannot be read: \(error.reason)"
    }
}
