import NIOCore
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

// Reading files for the machine: pool threads read, and the event loop receives the results.

extension AgentShell {
    /// Read requests of at most this size are collected until the end of the loop's turn, and one thread then performs
    /// several of them. To hand one of them to a thread costs more than the read itself.
    private static let smallReadBytes: UInt64 = 64 << 10

    func readPart(_ key: SourceTable.PartKey, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool) {
        guard let look = sources.readPart(key, start: start, bytes: bytes, withMD5: withMD5, keep: keep) else { return }
        if bytes <= Self.smallReadBytes, sources.isFile(key.upload) {
            atTurnsEnd { $0.looks.append(look) }
        } else {
            self.look([look])
        }
    }

    func computeEvidence(_ id: UploadID, bytes: UInt64, partBytes: UInt64, like kind: ContentEvidence) {
        guard let look = sources.evidence(of: id, bytes: bytes, partBytes: partBytes, like: kind) else { return }
        self.look([look])
    }

    func checkFile(_ id: UploadID) {
        guard let look = sources.stamp(of: id) else { return }
        atTurnsEnd { $0.looks.append(look) }
    }

    /// Examines files on a thread, one after the other.
    func look(_ looks: [FileLook]) {
        // Ignore a failure: the pool refuses work only after it has stopped, and then all uploads have ended.
        threads.runIfActive(eventLoop: eventLoop) { looks.map { $0() } }.whenSuccess { findings in
            self.assumeIsolated { shell in
                for finding in findings { shell.found(finding) }
            }
        }
    }

    private func found(_ finding: FileFinding) {
        switch finding {
        case .part(let key, let read, let reading, let bytes):
            guard sources.partRead(key, read, kept: bytes) else { return }
            handle(.partRead(key.part, of: key.upload, reading))
        case .stamp(let id, let stamp):
            handle(.fileChecked(stamp, of: id))
        case .evidence(let id, let reading):
            handle(.evidenceComputed(reading, of: id))
        }
    }
}
