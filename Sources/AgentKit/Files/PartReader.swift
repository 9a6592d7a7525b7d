import Cryptography
package import NIOCore
import SecureChannel
package import TransferCommon
package import TransferCore

/// Reads and hashes parts and whole files. All methods block and belong on a thread pool.
package struct PartReader: Sendable {
    let file: SourceFile

    package init(file: SourceFile) {
        self.file = file
    }

    /// Reads one part and computes its digests.
    ///
    /// - Parameters:
    ///   - start: offset of the part in the file.
    ///   - bytes: size of the part.
    ///   - keep: whether to return the part's bytes. Otherwise memory holds only one piece at a time.
    package func read(start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool) -> (
        reading: PartReading, kept: ByteBuffer?
    ) {
        do {
            var sha256 = try SHA256Hasher()
            var md5 = try withMD5 ? MD5Hasher() : nil
            let pieces = try file.readPieces(from: start, count: bytes, keep: keep) { piece in
                sha256.update(piece)
                if md5 != nil { md5?.update(piece) }
            }
            guard let pieces else { return (.truncated, nil) }
            let digest = try sha256.finalize()
            let md5Digest = try md5.take()?.finalize()
            return (.read(digest: digest, md5: md5Digest, stamp: try file.stamp()), keep ? pieces : nil)
        } catch let failure as UploadFailure {
            return (.failed(failure), nil)
        } catch {
            return (.failed(.cannotProcess(error)), nil)
        }
    }

    /// Reads the whole file and computes evidence (digests or an ETag) of the kind that the store keeps for the object
    /// (specification §4.8). The caller can then compare the file with the object.
    package func evidence(fileBytes: UInt64, partBytes: UInt64, like kind: ContentEvidence) -> EvidenceReading {
        do {
            var digests: [SHA256Digest] = []
            var md5s = try MD5Hasher()
            let needsMD5 = if case .compositeMD5 = kind { true } else { false }
            guard let plan = PartPlan(fileBytes: fileBytes, partBytes: partBytes), let count = plan.partCount else {
                return .failed(UploadFailure(.protocolViolation, "the gateway named an impossible part size"))
            }
            for value in 1...count {
                guard let number = PartNumber(value), let bytes = plan.bytes(of: number) else { break }
                let (reading, _) = read(start: plan.start(of: number), bytes: bytes, withMD5: needsMD5, keep: false)
                switch reading {
                case .read(let digest, let md5, _):
                    digests.append(digest)
                    if let md5 { md5.bytes.withUnsafeBytes { md5s.update($0) } }
                case .truncated, .readOfStream:
                    return .failed(.cutShortWhileRead)
                case .failed(let failure):
                    return .failed(failure)
                }
            }
            let stamp = try file.stamp()
            switch kind {
            case .none: return .computed(.none, stamp: stamp)
            case .root: return .computed(.root(try RootDigest.of(digests)), stamp: stamp)
            case .wholeDigest: return .computed(digests.count == 1 ? .wholeDigest(digests[0]) : .none, stamp: stamp)
            case .compositeMD5: return .computed(.compositeMD5("\(try md5s.finalize())-\(count)"), stamp: stamp)
            }
        } catch let failure as UploadFailure {
            return .failed(failure)
        } catch {
            return .failed(.cannotProcess(error))
        }
    }
}

extension SourceFile {
    /// Reads the whole file and computes its root digest. Blocks.
    ///
    /// - Throws: `changed` if the file ends before its size.
    package func rootDigest(partBytes: UInt64) throws(UploadFailure) -> SHA256Digest {
        let bytes = try stamp().size
        switch PartReader(file: self).evidence(fileBytes: bytes, partBytes: partBytes, like: .root(.zero)) {
        case .computed(.root(let root), _): return root
        case .computed: throw .changedWhileRead
        case .failed(let failure): throw failure
        }
    }
}
