import NIOCore
import NIOPosix
import TransferCore
import WireProtocol

// Reading files for the machine: on threads, and back on the loop with what came of it.

extension AgentCore {
    func readPart(_ key: PartKey, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool) {
        guard let source = sources[key.upload] else { return }
        let keeps = keep && bytes <= configuration.keptPartBytesMax
        lastRead += 1
        let number = lastRead
        reads[key] = (number, start)
        threads.runIfActive(eventLoop: eventLoop) {
            if let file = source.file {
                return PartReader(file: file).read(start: start, bytes: bytes, withMD5: withMD5, keep: keeps)
            }
            guard let stream = source.stream else { return (.failed(UploadFailure(.stopped, "stopped")), nil) }
            return stream.read(start: start, bytesMax: bytes, withMD5: withMD5)
        }.whenComplete { result in
            self.assumeIsolated { core in
                // Released meanwhile, or released and asked for again: this read is no longer the one awaited.
                guard core.reads[key]?.number == number else { return }
                var reading = PartReading.failed(UploadFailure(.stopped, "stopped"))
                if case .success(let outcome) = result {
                    reading = outcome.reading
                    core.kept[key] = outcome.kept
                }
                core.machine.partRead(key.part, of: key.upload, reading, now: core.now)
                core.perform()
            }
        }
    }

    func computeEvidence(_ id: UploadID, partBytes: UInt64, like kind: ContentEvidence) {
        guard let source = sources[id], let file = source.file else { return }
        let fileBytes = source.request.stamp?.size ?? 0
        threads.runIfActive(eventLoop: eventLoop) {
            PartReader(file: file).evidence(fileBytes: fileBytes, partBytes: partBytes, like: kind)
        }.whenComplete { result in
            self.assumeIsolated { core in
                let reading =
                    switch result {
                    case .success(let reading): reading
                    case .failure: EvidenceReading.failed(UploadFailure(.stopped, "stopped"))
                    }
                core.machine.evidenceComputed(reading, of: id, now: core.now)
                core.perform()
            }
        }
    }

    func checkFile(_ id: UploadID) {
        guard let source = sources[id] else { return }
        threads.runIfActive(eventLoop: eventLoop) {
            // A stream's stamp tells nothing and stays.
            guard let stamp = try source.file?.stamp() ?? source.request.stamp else {
                throw UploadFailure(.stopped, "stopped")
            }
            return stamp
        }.whenComplete { result in
            let checked = result.mapError { $0 as? UploadFailure ?? UploadFailure(.stopped, "stopped") }
            self.assumeIsolated { core in
                core.machine.fileChecked(checked, of: id, now: core.now)
                core.perform()
            }
        }
    }
}
