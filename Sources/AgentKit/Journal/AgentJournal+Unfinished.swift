import Foundation
import TransferCommon
import TransferCore

extension AgentJournal.Unfinished {
    /// The upload as one line of text: number, key, progress, age, path, and what it waits for. Control characters are
    /// visible.
    package var line: String {
        let far =
            path == SourceStream.path
            ? "\(ReadableQuantity.size(storedBytes)) of a stream stored"
            : "\(ReadableQuantity.size(storedBytes)) of \(ReadableQuantity.size(size)) stored"
        let age = Int64(Date().timeIntervalSince1970) - createdMilliseconds / 1_000
        let line =
            "\(id.value)  \(key)  \(far)  \(ReadableQuantity.time(Double(max(age, 0)))) old  \(path)  (\(waitsFor))"
        return line.withVisibleControls
    }

    private var waitsFor: String {
        if isDropping { return "to be dropped as soon as the gateway can be reached" }
        if path == SourceStream.path { return "a stream cannot be resumed: drop it" }
        return trouble.isEmpty ? "waits for push or resume" : "stopped: \(trouble)"
    }
}
