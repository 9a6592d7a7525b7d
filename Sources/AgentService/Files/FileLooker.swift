import AgentKit
import Cryptography
import FolderCore
import NIOCore
import TransferCommon
import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Performs the action `look`.
struct FileLooker: Sendable {
    let tree: FolderTree
    let clock: FileClock

    func look(_ path: ItemPath, _ wants: LookWants) -> LookResult {
        let file: SourceFile
        do throws(FolderError) {
            file = try open(path)
        } catch {
            if error.isMissing { return .missing }
            // A file that another process holds by a write lease cannot be opened. It may be changing.
            if error.isLeased, let stamp = stamp(of: path) { return .changing(stamp) }
            return .unreadable(error.reason)
        }
        var reading = FileReading(file, syncsWrittenFile: false)
        defer { reading.release() }
        do {
            return try look(&reading, path, wants)
        } catch let error as UploadFailure {
            return .unreadable(error.reason)
        } catch let error as FolderError {
            return error.isMissing ? .missing : .unreadable(error.reason)
        } catch {
            return .unreadable(UploadFailure.cannotProcess(error).reason)
        }
    }

    /// Opens a file. Waits a while for a descriptor, because the lack of one is no fault of the file.
    private func open(_ path: ItemPath) throws(FolderError) -> SourceFile {
        var attempts = 1
        while true {
            do throws(FolderError) {
                return try tree.openFile(path)
            } catch {
                guard error.lacksDescriptor, attempts < Self.attemptsMax else { throw error }
                attempts += 1
                poll(nil, 0, Self.pauseMilliseconds)
            }
        }
    }

    /// A look waits for a descriptor for at most ten seconds.
    private static let attemptsMax = 100
    private static let pauseMilliseconds: Int32 = 100

    private func look(_ reading: inout FileReading, _ path: ItemPath, _ wants: LookWants) throws -> LookResult {
        // Taken before the stamp, so that the stamp never seems older than it is.
        let systemTime = clock.now()
        let before = try reading.stamp()
        var look = FileLook(stamp: before, systemTime: systemTime)
        let isWhole = try reading.file.endsWhere(before)
        let hasHead = try readHead(reading.file, of: before, wants, &look)
        if isWhole, hasHead { try hash(&reading, wants, &look) }
        if wants.marker { look.hasMarker = isFile(path.marker) }
        if let former = wants.formerPath {
            look.isStillAtFormerPath = stamp(of: former)?.inode == before.inode
        }
        let after = try reading.stamp()
        guard after == before else { return .changing(after) }
        guard isWhole, hasHead else { throw UploadFailure.sizeUntrusted(of: before) }
        look.lease = reading.lease
        look.fileSystem = reading.fileSystem
        return .found(look)
    }

    /// Hashes the first bytes.
    ///
    /// - Returns: whether the file has as many of them as its size says.
    private func readHead(
        _ file: SourceFile, of stamp: FileStamp, _ wants: LookWants, _ look: inout FileLook
    ) throws -> Bool {
        let count = max(FileHead.byteCountMax, wants.headBytes)
        var buffer = ByteBufferAllocator().buffer(capacity: Int(count))
        _ = try file.append(from: 0, count: Int(count), to: &buffer)
        let bytes = buffer.readableBytesView
        let headCount = UInt16(min(stamp.size, UInt64(FileHead.byteCountMax)))
        guard bytes.count >= Int(headCount) else { return false }
        look.head = FileHead(byteCount: headCount, hash: try Self.hash(bytes.prefix(Int(headCount))))
        if wants.headBytes > 0, bytes.count >= Int(wants.headBytes) {
            look.headAsRecorded = try Self.hash(bytes.prefix(Int(wants.headBytes)))
        }
        return true
    }

    private static func hash(_ bytes: some Sequence<UInt8>) throws -> UInt64 {
        let digest = try SHA256Digest.of(bytes)
        return digest.withUnsafeBytes { $0.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
    }

    private func hash(_ reading: inout FileReading, _ wants: LookWants, _ look: inout FileLook) throws {
        let whole = try wants.root.map { try RootHasher(partBytes: $0) }
        let prefix = try wants.prefix.map { try RootHasher(partBytes: $0.partBytes, byteCountMax: $0.byteCount) }
        guard whole != nil || prefix != nil else { return }
        try reading.read(upTo: whole == nil ? wants.prefix?.byteCount : nil) { piece in
            try whole?.update(piece)
            try prefix?.update(piece)
        }
        look.root = try whole?.finish()
        look.prefixRoot = try prefix?.finish()
    }

    private func isFile(_ path: ItemPath) -> Bool { stamp(of: path) != nil }

    /// The stamp of the file that has the path; `nil` if there is none, or if it cannot be examined.
    private func stamp(of path: ItemPath) -> FileStamp? {
        do throws(FolderError) {
            return try tree.openDirectory(of: path).stamp(of: path.name)
        } catch {
            // The machine looks again or scans: a file that cannot be examined counts as absent until then.
            return nil
        }
    }
}

extension UploadFailure {
    /// The reason for people.
    var reason: String { message.isEmpty ? kind.rawValue : message }
}
