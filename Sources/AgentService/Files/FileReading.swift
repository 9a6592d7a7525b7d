import AgentKit
import FolderCore
import NIOCore
import TransferCommon
import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reads an open file between two stamps, with a read lease where the system grants one.
///
/// While the lease lasts, no process can open the file for writing or change its size. A process that tries to do so
/// waits. `read` notices that after each piece and then releases the lease, so that the process waits only shortly.
struct FileReading {
    let file: SourceFile
    private(set) var lease: ReadLease
    private(set) var fileSystem: FileSystemKind
    private let syncsWrittenFile: Bool

    /// Takes the lease. The caller calls `release`, or keeps `file` as long as the lease has to last.
    ///
    /// - Parameter syncsWrittenFile: whether `stamp` also syncs a file that a process has open for writing.
    init(_ file: SourceFile, syncsWrittenFile: Bool) {
        self.file = file
        self.syncsWrittenFile = syncsWrittenFile
        fileSystem = FileSystemKind(file.fileSystem())
        lease = ReadLease(file.takeReadLease())
    }

    /// The stamp now. Stores through a mapping change the stamp only when the system writes the pages back. So without
    /// a lease the file is synced first.
    mutating func stamp() throws(UploadFailure) -> FileStamp {
        noticeBreak()
        if lease == .unavailable || lease == .refused && syncsWrittenFile, fsync(file.descriptor) != 0,
            fileSystem == .stamping
        {
            fileSystem = .local
        }
        return try file.stamp()
    }

    /// Reads the file from its beginning.
    ///
    /// - Parameters:
    ///   - end: how many bytes are read at most; `nil` for all.
    ///   - body: called with each piece.
    mutating func read(upTo end: UInt64?, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var buffer = ByteBufferAllocator().buffer(capacity: SourceFile.pieceBytes)
        var position: UInt64 = 0
        while position < end ?? .max {
            let wanted = Int(min((end ?? .max) - position, UInt64(SourceFile.pieceBytes)))
            buffer.clear()
            let got = try file.append(from: position, count: wanted, to: &buffer)
            try buffer.withUnsafeReadableBytes(body)
            position += UInt64(got)
            noticeBreak()
            if got < wanted { return }
        }
    }

    /// Releases the lease. Safe to repeat.
    func release() { file.releaseReadLease() }

    private mutating func noticeBreak() {
        guard lease == .granted, !file.holdsReadLease else { return }
        release()
        lease = .refused
    }
}

extension ReadLease {
    /// - Parameter lease: the answer of the system, as uploads know it.
    init(_ lease: FileSettling.Lease) {
        switch lease {
        case .granted: self = .granted
        case .refused: self = .refused
        case .unavailable: self = .unavailable
        }
    }
}

extension FileSystemKind {
    /// - Parameter kind: the kind of file system, as uploads know it.
    init(_ kind: FileSettling.FileSystem) {
        switch kind {
        case .stamping: self = .stamping
        case .local: self = .local
        case .shared: self = .shared
        }
    }
}
