import FolderCore
import TransferCommon

/// A file of the model: an inode with content, times, and open handles.
struct ModelFile: Hashable {
    var inode: UInt64
    var content: [UInt8]
    var modified: ModificationTime
    var changed: ModificationTime
    /// How many programs have the file open for writing, or mapped.
    var writers = 0
    /// How often a program has opened the file for writing. A lease is broken if the number changes.
    var opens = 0
    /// Whether a store through a mapping is not in the stamp yet.
    var isDirty = false
    /// Whether the file cannot be read, or the gateway refuses it.
    var isBad = false
}

/// The names and inodes of a file system. It is a value: a power cut goes back to an earlier one.
struct ModelDirectory: Hashable {
    var names: [ItemPath: UInt64] = [:]
    /// The directory for moved files.
    var moved: [ItemPath: UInt64] = [:]
    var files: [UInt64: ModelFile] = [:]

    func file(at path: ItemPath) -> ModelFile? { names[path].flatMap { files[$0] } }

    func linkCount(of inode: UInt64) -> Int {
        names.values.filter { $0 == inode }.count + moved.values.filter { $0 == inode }.count
    }
}

/// A folder's file system: it keeps what a power cut may bring back, and stamps files as its kind does.
struct ModelFileSystem {
    let kind: FileSystemKind
    /// Whether the agent may take leases.
    let grantsLeases: Bool
    /// The unit of times in nanoseconds.
    let granularity: UInt64
    var now = ModelDirectory()
    /// The states since the last sync, the last durable one first.
    private(set) var history: [ModelDirectory] = [ModelDirectory()]
    private var freeInodes: [UInt64] = []
    private var nextInode: UInt64 = 100
    let device: UInt64 = 7

    init(kind: FileSystemKind, grantsLeases: Bool, granularity: UInt64) {
        self.kind = kind
        self.grantsLeases = grantsLeases
        self.granularity = granularity
    }

    /// Notes the present state as one that a power cut may bring back.
    mutating func changed() {
        history.append(now)
        // The kernel writes back after a while.
        if history.count > 12 { history.removeFirst() }
    }

    /// All that was done is durable.
    mutating func sync() { history = [now] }

    /// Brings back one of the states since the last sync, with all handles closed.
    ///
    /// - Parameter choice: which one; any number.
    mutating func powerCut(choice: UInt64, at clock: UInt64) {
        now = history[Int(choice % UInt64(history.count))]
        for inode in now.files.keys {
            now.files[inode]?.writers = 0
            writeBack(inode, at: clock)
        }
        history = [now]
    }

    func stamp(of file: ModelFile) -> FileStamp {
        FileStamp(
            device: device, inode: file.inode, size: UInt64(file.content.count), modification: file.modified,
            change: file.changed)
    }

    func time(_ nanoseconds: UInt64) -> ModificationTime {
        let whole = nanoseconds / granularity * granularity
        return ModificationTime(seconds: Int64(whole / 1_000_000_000), nanoseconds: UInt32(whole % 1_000_000_000))
    }

    // MARK: Programs

    mutating func create(_ path: ItemPath, _ content: [UInt8], at clock: UInt64, reuses: Bool, isBad: Bool = false) {
        let inode: UInt64
        if reuses, let free = freeInodes.popLast() {
            inode = free
        } else {
            inode = nextInode
            nextInode += 1
        }
        let time = time(clock)
        now.files[inode] = ModelFile(inode: inode, content: content, modified: time, changed: time, isBad: isBad)
        link(path, to: inode)
        changed()
    }

    mutating func write(_ inode: UInt64, at clock: UInt64, _ change: (inout [UInt8]) -> Void) {
        guard var file = now.files[inode] else { return }
        change(&file.content)
        (file.modified, file.changed) = (time(clock), time(clock))
        now.files[inode] = file
        changed()
    }

    /// A program writes through a memory mapping (`mmap`). The file's stamp shows the write only later, and on some
    /// file systems never.
    mutating func store(_ inode: UInt64, _ change: (inout [UInt8]) -> Void) {
        guard var file = now.files[inode] else { return }
        change(&file.content)
        file.isDirty = true
        now.files[inode] = file
        changed()
    }

    /// What fsync or the kernel does with stores through mappings.
    mutating func writeBack(_ inode: UInt64, at clock: UInt64) {
        guard var file = now.files[inode], file.isDirty else { return }
        file.isDirty = false
        if kind == .stamping { (file.modified, file.changed) = (time(clock), time(clock)) }
        now.files[inode] = file
    }

    /// Renames as the system call does, replacing what has the new name.
    mutating func rename(_ path: ItemPath, to other: ItemPath, at clock: UInt64) {
        guard let inode = now.names[path], path != other else { return }
        let replaced = now.names[other]
        now.names[path] = nil
        link(other, to: inode)
        let time = time(clock)
        now.files[inode]?.changed = time
        if let replaced { dropIfUnlinked(replaced) }
        changed()
    }

    mutating func remove(_ path: ItemPath) {
        guard let inode = now.names.removeValue(forKey: path) else { return }
        dropIfUnlinked(inode)
        changed()
    }

    mutating func link(_ path: ItemPath, to inode: UInt64) {
        now.names[path] = inode
    }

    mutating func hardLink(_ path: ItemPath, as other: ItemPath, at clock: UInt64) {
        guard let inode = now.names[path], now.names[other] == nil else { return }
        now.names[other] = inode
        let time = time(clock)
        now.files[inode]?.changed = time
        changed()
    }

    mutating func moveAway(_ path: ItemPath, to other: ItemPath) {
        guard let inode = now.names.removeValue(forKey: path) else { return }
        now.moved[other] = inode
        changed()
    }

    private mutating func dropIfUnlinked(_ inode: UInt64) {
        guard now.linkCount(of: inode) == 0 else { return }
        now.files[inode] = nil
        freeInodes.append(inode)
    }
}
