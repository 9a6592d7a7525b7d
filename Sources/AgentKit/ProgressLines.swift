import Foundation
import Synchronization
import TransferCore
import WireProtocol

/// Tells what happens as lines of text: JSON for programs, or sentences and rates for people.
package final class ProgressLines: Sendable {
    /// Who reads the lines.
    package enum Style: Sendable {
        case json
        /// A line per file, and on a terminal one that is drawn anew while files are under way.
        case text(isTerminal: Bool)
        case quiet
    }

    private struct State {
        var figures: [String: UploadProgress] = [:]
        var lastLine: ContinuousClock.Instant?
        var isLineOpen = false
        var lastBytes: UInt64 = 0
    }

    private let style: Style
    private let output: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameter output: where text goes, line ends included.
    package init(style: Style, output: @escaping @Sendable (String) -> Void) {
        self.style = style
        self.output = output
    }

    /// Called with every event, in order; prints what its style has a line for.
    package func observe(_ event: UploadEvent) {
        switch style {
        case .json: observeForPrograms(event)
        case .text(let isTerminal): observeForPeople(event, isTerminal: isTerminal)
        case .quiet: observeFailure(event)
        }
    }

    /// The last line of `--json`, and of a push for people.
    package func conclude(_ summary: RunSummary) {
        switch style {
        case .json:
            emit([
                "event": "summary", "files": summary.files, "failed": summary.failures.count,
                "bytes": summary.bytes, "bytes_sent": summary.bytesSent, "bytes_resumed": summary.bytesResumed,
                "wire_bytes": summary.wireBytes, "seconds": (summary.seconds * 1_000).rounded() / 1_000,
            ])
        case .text:
            let rate = summary.seconds > 0 ? Double(summary.bytesSent) / summary.seconds : 0
            output(
                "\(summary.files) files, \(summary.failures.count) failed; \(Self.size(summary.bytes)) stored, "
                    + "\(Self.size(summary.bytesSent)) sent, \(Self.size(summary.bytesResumed)) were there; "
                    + "\(String(format: "%.1f", summary.seconds)) s, \(Self.size(UInt64(rate)))/s\n")
        case .quiet:
            break
        }
    }

    // MARK: For programs

    private func observeForPrograms(_ event: UploadEvent) {
        switch event {
        case .part(let key, let number, let sent, let size, let isStored):
            emit([
                "event": "part", "key": key, "number": number.value, "sent": sent, "stored": isStored ? size : 0,
                "size": size,
            ])
        case .file(let key, let figures):
            let rate = rate(of: figures, key: key)
            guard let rate else { return }
            emit(["event": "file", "key": key, "stored": figures.storedBytes, "size": figures.size, "rate": rate])
        case .note(let key, let text):
            emit(["event": "note", "key": key, "text": text])
        case .finished(let path, let key, let outcome, let figures):
            emit(Self.end(path: path, key: key, outcome, figures))
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
            line["size"] = receipt.size
            line["part_size"] = receipt.partBytes
            line["etag"] = receipt.etag
            if let root = receipt.root { line["root"] = root.description }
        case .dropped:
            line["outcome"] = "dropped"
        case .failed(let failure):
            line["outcome"] = failure.kind.rawValue
            line["message"] = failure.message
            line["kept"] = failure.isKept
        }
        return line
    }

    private func emit(_ fields: [String: Any]) {
        do {
            let data = try JSONSerialization.data(
                withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes])
            output(String(decoding: data, as: UTF8.self) + "\n")
        } catch {
            output("{\"event\":\"defect\"}\n")
        }
    }

    // MARK: For people

    private func observeForPeople(_ event: UploadEvent, isTerminal: Bool) {
        switch event {
        case .part:
            break
        case .file(let key, let figures):
            guard let rate = rate(of: figures, key: key) else { return }
            let percent = figures.size > 0 ? figures.storedBytes * 100 / figures.size : 100
            let line =
                "\(key): \(percent) %, \(Self.size(figures.storedBytes)) of \(Self.size(figures.size)) stored, "
                + "\(Self.size(rate))/s"
            if isTerminal {
                state.withLock { $0.isLineOpen = true }
                output("\r\u{1B}[K\(line)")
            } else {
                output(line + "\n")
            }
        case .note(let key, let text):
            closeLine()
            output("\(key): \(text)\n")
        case .finished(_, let key, let outcome, let figures):
            closeLine()
            output("\(key): \(Self.sentence(outcome, figures))\n")
        }
    }

    private func observeFailure(_ event: UploadEvent) {
        guard case .finished(_, let key, .failed(let failure), let figures) = event else { return }
        output("\(key): \(Self.sentence(.failed(failure), figures))\n")
    }

    private func closeLine() {
        let wasOpen = state.withLock { state in
            defer { state.isLineOpen = false }
            return state.isLineOpen
        }
        if wasOpen { output("\n") }
    }

    /// Bytes a second since the last line, or `nil` where it is too early for another one.
    private func rate(of figures: UploadProgress, key: String) -> UInt64? {
        state.withLock { state in
            state.figures[key] = figures
            let now = ContinuousClock.now
            let total = state.figures.values.reduce(0) { $0 &+ $1.storedBytes }
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

    private static func sentence(_ outcome: UploadOutcome, _ figures: UploadProgress) -> String {
        switch outcome {
        case .stored(let receipt, let wasThere):
            return wasThere
                ? "there already, whole (\(size(receipt.size))); nothing sent"
                : "stored, \(size(receipt.size)); \(size(figures.bytesSent)) sent"
                    + (figures.bytesResumed > 0 ? ", \(size(figures.bytesResumed)) were there" : "")
        case .dropped:
            return "dropped"
        case .failed(let failure):
            let kept = failure.isKept && figures.storedBytes > 0 ? "; what is stored is kept: push or resume again" : ""
            return "failed: \(failure.message.isEmpty ? failure.kind.rawValue : failure.message)\(kept)"
        }
    }

    /// Bytes as people read them, in binary units.
    package static func size(_ bytes: UInt64) -> String {
        for (unit, scale) in [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1_024.0)]
        where Double(bytes) >= scale {
            return String(format: "%.1f %@", Double(bytes) / scale, unit)
        }
        return "\(bytes) B"
    }
}
