import AgentKit
import Foundation
import Synchronization
import TransferCommon
import TransferCore
import WireProtocol

/// Prints the events of a run as JSON, one object per line. The part of `ProgressLines` for programs.
final class ProgressJSON: Sendable {
    private struct State {
        /// Number of stored bytes of each active file, by the bytes of its key. It serves for computing the rate in the
        /// JSON output.
        var stored: [[UInt8]: UInt64] = [:]
        var storedSum: UInt64 = 0
        var lastLine: ContinuousClock.Instant?
        var lastBytes: UInt64 = 0
    }

    private let reader: @Sendable () -> ProgressLines.Reader
    private let notices: @Sendable (String) -> Void
    private let output: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// The parameters are those of `ProgressLines`.
    init(
        reader: @escaping @Sendable () -> ProgressLines.Reader, notices: @escaping @Sendable (String) -> Void,
        output: @escaping @Sendable (String) -> Void
    ) {
        self.reader = reader
        self.notices = notices
        self.output = output
    }

    /// Prints the summary.
    func conclude(_ summary: RunSummary) {
        var line: [String: Any] = [
            "event": "summary", "files": summary.files, "failed": summary.failedCount,
            "stopped": summary.stoppedCount, "bytes": summary.bytes, "bytes_kept": summary.bytesKept,
            "bytes_sent": summary.bytesSent, "bytes_resumed": summary.bytesResumed, "wire_bytes": summary.wireBytes,
            "unfinished": summary.unfinished.total, "unchanged": summary.unchanged,
            "seconds": (summary.seconds * 1_000).rounded() / 1_000,
        ]
        if let withoutReceipt = summary.withoutReceipt { line["without_receipt"] = withoutReceipt }
        if summary.specialFiles.count > 0 { line["special_files"] = summary.specialFiles.paths }
        if !summary.notBegun.isNothing {
            line["not_begun"] = summary.notBegun.mayBeMore ? true : summary.notBegun.count
        }
        if let ending = summary.ending, summary.exitCode != 0 { line["ended"] = ending.kind.rawValue }
        emit(line)
    }

    /// Prints an event.
    func observe(_ event: UploadEvent) {
        switch event {
        case .part(let key, let number, let sent, let size, let isStored):
            guard reader() != .behind else { return }
            emit([
                "event": "part", "key": key, "number": number.value, "sent": sent, "stored": isStored ? size : 0,
                "size": size,
            ])
        case .file(let key, let figures):
            let rate = rate(of: figures, key: key)
            guard let rate, reader() != .behind else { return }
            emit(["event": "file", "key": key, "stored": figures.storedBytes, "size": figures.size, "rate": rate])
        case .note(let key, let text):
            emit(["event": "note", "key": key, "text": text])
        case .finished(let path, let key, let outcome, let figures):
            _ = state.withLock { $0.stored.removeValue(forKey: Array(key.utf8)) }
            emit(Self.end(path: path, key: key, outcome, figures))
        case .awaitingGateway(let sentence):
            notices(sentence)
        case .ended, .checked:
            break
        }
    }

    private static func end(
        path: String, key: String, _ outcome: UploadOutcome, _ figures: UploadProgress
    ) -> [String: Any] {
        var line: [String: Any] = [
            "event": "finished", "path": path, "key": key, "bytes_sent": figures.bytesSent,
            "bytes_resumed": figures.bytesResumed,
        ]
        switch outcome {
        case .stored(let receipt, let wasThere):
            line["outcome"] = wasThere ? "there" : "stored"
            if receipt.isUnchanged { line["skipped"] = true }
            line["size"] = receipt.size
            line["part_size"] = receipt.partBytes
            line["etag"] = receipt.etag
            if let root = receipt.root { line["root"] = root.description }
            if let checksum = receipt.checksumSHA256 { line["checksum_sha256"] = checksum }
            if receipt.signed != .notAskedFor { line["receipt"] = receipt.signed != .missing }
        case .dropped:
            line["outcome"] = "dropped"
        case .failed(let failure):
            line["outcome"] = failure.kind.rawValue
            let step = NextStep(after: failure, path: path, figures)
            line["message"] = failure.sentence(step)
            line["kept"] = step == .pushOrResume
        }
        return line
    }

    private func emit(_ fields: [String: Any]) {
        do {
            let data = try JSONSerialization.data(
                withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes])
            output(String(decoding: data, as: UTF8.self).withEscapedControls + "\n")
        } catch {
            output("{\"event\":\"defect\"}\n")
        }
    }

    /// Bytes per second since the last line; `nil` if it is too early for another line.
    private func rate(of figures: UploadProgress, key: String) -> UInt64? {
        state.withLock { state in
            let before = state.stored.updateValue(figures.storedBytes, forKey: Array(key.utf8)) ?? 0
            state.storedSum = state.storedSum &+ figures.storedBytes &- before
            let now = ContinuousClock.now
            let total = state.storedSum
            guard let last = state.lastLine else {
                state.lastLine = now
                state.lastBytes = total
                return nil
            }
            let elapsed = (now - last).inSeconds
            guard elapsed >= 0.5 else { return nil }
            let rate = total > state.lastBytes ? Double(total - state.lastBytes) / elapsed : 0
            state.lastLine = now
            state.lastBytes = total
            return UInt64(rate)
        }
    }
}
