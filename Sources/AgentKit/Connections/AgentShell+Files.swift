import NIOCore
import NIOPosix
import SystemSupport
import TransferCore
import WireProtocol

// Reading files for the machine: threads read, and the loop receives the results.

/// Examines a file, on a thread that may block.
typealias FileLook = @Sendable () -> FileFinding

/// Result of examining a file.
enum FileFinding: Sendable {
    /// - Parameter number: number of the read.
    case part(AgentShell.PartKey, number: UInt64, PartReading, kept: ByteBuffer?)
    case stamp(UploadID, Result<FileStamp, UploadFailure>)
    case evidence(UploadID, EvidenceReading)
}

extension AgentShell {
    /// Reads up to this size run on the loop: they cost less than a hand-over to a thread.
    private static let smallReadBytes: UInt64 = 64 << 10

    func readPart(_ key: PartKey, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool) {
        guard let source = sources[key.upload] else { return }
        let keeps = keep && bytes <= configuration.keptPartBytesMax
        lastRead += 1
        let number = lastRead
        reads[key] = (number, start)
        let look: FileLook = {
            let reading: (reading: PartReading, kept: ByteBuffer?) =
                if let file = source.file {
                    PartReader(file: file).read(start: start, bytes: bytes, withMD5: withMD5, keep: keeps)
                } else if let stream = source.stream {
                    stream.read(start: start, bytesMax: bytes, withMD5: withMD5)
                } else {
                    (.failed(UploadFailure(.stopped, "stopped")), nil)
                }
            return .part(key, number: number, reading.reading, kept: reading.kept)
        }
        if source.file != nil, bytes <= Self.smallReadBytes {
            atTurnsEnd { $0.looks.append(look) }
        } else {
            self.look([look])
        }
    }

    func computeEvidence(_ id: UploadID, bytes: UInt64, partBytes: UInt64, like kind: ContentEvidence) {
        guard let file = sources[id]?.file ?? provenFiles[id] else { return }
        look([
            {
                let reader = PartReader(file: file)
                return .evidence(id, reader.evidence(fileBytes: bytes, partBytes: partBytes, like: kind))
            }
        ])
    }

    func checkFile(_ id: UploadID) {
        guard let source = sources[id] else { return }
        atTurnsEnd { turn in
            turn.looks.append {
                do throws(UploadFailure) {
                    // A stream has no stamp of its own and keeps that of its request.
                    guard let stamp = try source.file?.stamp() ?? source.request.stamp else {
                        throw UploadFailure(.stopped, "stopped")
                    }
                    return .stamp(id, .success(stamp))
                } catch {
                    return .stamp(id, .failure(error))
                }
            }
        }
    }

    /// Examines files on a thread, one after the other.
    func look(_ looks: [FileLook]) {
        // The threads outlive every upload. No upload waits for an examination that they refuse.
        threads.runIfActive(eventLoop: eventLoop) { looks.map { $0() } }.whenSuccess { findings in
            self.assumeIsolated { shell in
                for finding in findings { shell.found(finding) }
            }
        }
    }

    private func found(_ finding: FileFinding) {
        switch finding {
        case .part(let key, let number, let reading, let bytes):
            // The part was released, or released and requested again, so this read is obsolete.
            guard reads[key]?.number == number else { return }
            kept[key] = bytes
            handle(.partRead(key.part, of: key.upload, reading))
        case .stamp(let id, let stamp):
            handle(.fileChecked(stamp, of: id))
        case .evidence(let id, let reading):
            handle(.evidenceComputed(reading, of: id))
        }
    }
}
