import NIOCore
import TransferCommon
import TransferCore
import WireProtocol

/// Examines a file. Blocks, so it runs on a pool thread.
typealias FileLook = @Sendable () -> FileFinding

/// Result of examining a file.
enum FileFinding: Sendable {
    /// Result of reading a part. `SourceTable` numbers all reads; the `ReadID` says which read has this result.
    case part(SourceTable.PartKey, ReadID, PartReading, kept: ByteBuffer?)
    case stamp(UploadID, Result<FileStamp, UploadFailure>)
    case evidence(UploadID, EvidenceReading)
}

/// Names one read of a part. A part that is released and requested again is read under another id, so that the result
/// of the earlier read does not count for the later one.
struct ReadID: Hashable, Sendable {
    let value: UInt64

    init(_ value: UInt64) {
        self.value = value
    }
}

/// The open files of a run, and the parts of these files that are being read or are kept in memory.
///
/// The table makes closures that examine a file; `AgentShell` runs them on threads.
struct SourceTable {
    struct PartKey: Hashable {
        var upload: UploadID
        var part: PartNumber
    }

    /// The file or stream of an upload, with the upload's request and the encoder of its chunks.
    struct Source {
        /// The bytes to send; `nil` for an upload that is only dropped.
        var bytes: UploadSource?
        var encoder: ChunkEncoder
        var request: UploadRequest
    }

    /// What the shell makes a part's chunks from: the encoder, and the file or the kept bytes.
    struct PartSource {
        var encoder: ChunkEncoder
        var file: SourceFile?
        /// Offset of the part in the file.
        var start: UInt64
        /// The bytes of the part, if they are kept in memory.
        var kept: ByteBuffer?
    }

    private let keptPartBytesMax: UInt64
    private var sources: [UploadID: Source] = [:]
    /// Open files for which the agent is asking a gateway whether the store holds them.
    private var provenFiles: [UploadID: SourceFile] = [:]
    /// Parts that are being read, or that were read and are still needed. For each part: its newest read, and the
    /// offset of the part in the file.
    private var reads: [PartKey: (id: ReadID, start: UInt64)] = [:]
    private var lastRead: UInt64 = 0
    private var kept: [PartKey: ByteBuffer] = [:]

    init(keptPartBytesMax: UInt64) {
        self.keptPartBytesMax = keptPartBytesMax
    }

    // MARK: Files

    mutating func add(_ source: Source) { sources[source.request.id] = source }

    mutating func add(_ file: SourceFile, askedAboutAs id: UploadID) { provenFiles[id] = file }

    mutating func remove(_ id: UploadID) -> Source? { sources.removeValue(forKey: id) }

    /// Removes a file that a gateway was asked about.
    ///
    /// - Returns: whether the table had the file.
    mutating func removeAsked(_ id: UploadID) -> Bool { provenFiles.removeValue(forKey: id) != nil }

    func contains(_ id: UploadID) -> Bool { sources[id] != nil }

    func isFile(_ id: UploadID) -> Bool { sources[id]?.bytes?.file != nil }

    var streams: [SourceStream] { sources.values.compactMap(\.bytes?.stream) }

    // MARK: Examining

    /// Makes the closure that reads a part, and counts this read as the newest of the part.
    ///
    /// - Parameters:
    ///   - bytes: size of the part; of a stream, its maximum.
    ///   - keep: whether the part will be sent soon, so that its bytes should stay in memory.
    /// - Returns: `nil` if the upload has ended.
    mutating func readPart(_ key: PartKey, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool) -> FileLook? {
        guard let source = sources[key.upload] else { return nil }
        let keeps = keep && bytes <= keptPartBytesMax
        lastRead += 1
        let read = ReadID(lastRead)
        reads[key] = (read, start)
        return {
            let reading: (reading: PartReading, kept: ByteBuffer?) =
                switch source.bytes {
                case .file(let file):
                    PartReader(file: file).read(start: start, bytes: bytes, withMD5: withMD5, keep: keeps)
                case .stream(let stream): stream.read(start: start, bytesMax: bytes, withMD5: withMD5)
                case nil: (.failed(UploadFailure(.stopped, "stopped")), nil)
                }
            return .part(key, read, reading.reading, kept: reading.kept)
        }
    }

    /// Keeps the bytes of a part that was read, unless the part was released during the read.
    ///
    /// - Returns: whether the part still needs this read. `false` if the part was released during the read, even if it
    ///   was requested again since then: a newer read delivers it.
    mutating func partRead(_ key: PartKey, _ read: ReadID, kept bytes: ByteBuffer?) -> Bool {
        guard reads[key]?.id == read else { return false }
        kept[key] = bytes
        return true
    }

    mutating func releasePart(_ key: PartKey) {
        kept[key] = nil
        reads[key] = nil
    }

    /// The data from which the part's chunks are made; `nil` if the upload has ended or the part was released.
    func partSource(_ key: PartKey) -> PartSource? {
        guard let source = sources[key.upload], let start = reads[key]?.start else { return nil }
        return PartSource(encoder: source.encoder, file: source.bytes?.file, start: start, kept: kept[key])
    }

    /// Makes the closure that reads a whole file and computes evidence (digests or an ETag) to compare with the
    /// evidence that the store keeps.
    ///
    /// - Returns: `nil` if the file is not in the table.
    func evidence(
        of id: UploadID, bytes: UInt64, partBytes: UInt64, like kind: ContentEvidence
    ) -> FileLook? {
        guard let file = sources[id]?.bytes?.file ?? provenFiles[id] else { return nil }
        return { .evidence(id, PartReader(file: file).evidence(fileBytes: bytes, partBytes: partBytes, like: kind)) }
    }

    /// Makes the closure that reads the stamp of a file once more.
    ///
    /// - Returns: `nil` if the upload has ended.
    func stamp(of id: UploadID) -> FileLook? {
        guard let source = sources[id] else { return nil }
        return {
            do throws(UploadFailure) {
                // A stream has no stamp of its own: use that of its request.
                guard let stamp = try source.bytes?.file?.stamp() ?? source.request.stamp else {
                    throw UploadFailure(.stopped, "stopped")
                }
                return .stamp(id, .success(stamp))
            } catch {
                return .stamp(id, .failure(error))
            }
        }
    }
}

/// One PART DATA frame: its header, and its payload.
typealias ChunkPieces = (head: ByteBuffer, payload: ByteBuffer)

extension SourceTable.PartSource {
    /// Whether a chunk can be encoded without reading the disk and without compressing, so that the event loop may do
    /// it.
    func isEncodedAtOnce(mayCompress: Bool) -> Bool { kept != nil && !(mayCompress && encoder.compressesNext) }

    /// Makes the frame of a chunk. May read the file and compress.
    func pieces(of chunk: Chunk, mayCompress: Bool) throws -> ChunkPieces {
        let plain: ByteBuffer?
        if let kept {
            let index = kept.readerIndex + Int(clamping: chunk.offset)
            plain = kept.getSlice(at: index, length: Int(chunk.plainBytes))
        } else {
            plain = try file?.read(from: start &+ chunk.offset, count: Int(chunk.plainBytes))
        }
        guard let plain else { throw UploadFailure.cutShortWhileSent }
        return try encoder.encode(
            plain, part: chunk.part, offset: chunk.offset, slot: chunk.slot, mayCompress: mayCompress)
    }
}
