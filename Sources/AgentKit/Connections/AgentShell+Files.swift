import NIOCore
import NIOPosix
import SystemSupport
import TransferCore
import WireProtocol

// Reading files for the machine: on threads, and back on the loop with what came of it.

/// Looks at a file, on a thread that may wait.
typealias FileLook = @Sendable () -> FileFinding

/// What came of a look at a file.
enum FileFinding: Sendable {
    /// - Parameter number: the read's.
    case part(AgentShell.PartKey, number: UInt64, PartReading, kept: ByteBuffer?)
    case stamp(UploadID, Result<FileStamp, UploadFailure>)
    case evidence(UploadID, EvidenceReading)
}

extension AgentShell {
    /// What is read in so little time that a hand-over to a thread costs more.
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
                    // A stream's stamp tells nothing and stays.
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

    /// Has a thread look at files, one after the other.
    func look(_ looks: [FileLook]) {
        // The threads outlive every upload: nobody waits for what they refuse.
        threads.runIfActive(eventLoop: eventLoop) { looks.map { $0() } }.whenSuccess { findings in
            self.assumeIsolated { shell in
                for finding in findings { shell.found(finding) }
            }
        }
    }

    private func found(_ finding: FileFinding) {
        switch finding {
        case .part(let key, let number, let reading, let bytes):
            // Released meanwhile, or released and asked for again: this read is no longer the one awaited.
            guard reads[key]?.number == number else { return }
            kept[key] = bytes
            machine.partRead(key.part, of: key.upload, reading, now: now)
        case .stamp(let id, let stamp):
            machine.fileChecked(stamp, of: id, now: now)
        case .evidence(let id, let reading):
            machine.evidenceComputed(reading, of: id, now: now)
        }
        perform()
    }
}
