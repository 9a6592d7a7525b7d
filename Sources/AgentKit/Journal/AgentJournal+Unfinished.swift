import Foundation
import TransferCommon
import TransferCore

extension AgentJournal.Unfinished {
    /// The upload as one line of text: number, key, progress, age, path, and what it waits for. Control characters are
    /// visible.
    package var line: String {
        let far =
            isStream
            ? "\(ReadableQuantity.size(storedBytes)) of a stream stored"
            : "\(ReadableQuantity.size(storedBytes)) of \(ReadableQuantity.size(size)) stored"
        return "\(id.value)  \(key)  \(far)  \(age)  \(source)  (\(waitsFor))".withVisibleControls
    }

    /// Where the content comes from: the file, or words for a stream.
    package var source: String { isStream ? "standard input or a command" : path }

    /// How long ago the upload was begun.
    package var age: String {
        let seconds = Int64(Date().timeIntervalSince1970) - createdMilliseconds / 1_000
        return "\(ReadableQuantity.time(Double(max(seconds, 0)))) old"
    }

    /// Whether the upload is that of a stream, of which nothing can be resumed.
    package var isStream: Bool { path == SourceStream.path }

    /// The last line of a list of uploads: which commands work on them.
    package static func advice(about rows: [Self]) -> String {
        guard !rows.isEmpty else { return "No unfinished uploads." }
        let drop = "Drop with: sluice-agent abort ID"
        let isAnyResumable = rows.contains { !$0.isDropping && !$0.isStream }
        return isAnyResumable ? "Continue with: sluice-agent resume ID…   \(drop)" : drop
    }

    /// What the upload waits for, or why it stopped.
    package var waitsFor: String {
        if isDropping { return "to be dropped as soon as the gateway can be reached" }
        if isStream { return "a stream cannot be resumed: push it again with its --key, or drop it" }
        return trouble.isEmpty ? "waits for push or resume" : "stopped: \(trouble.asBeginningOfSentence)"
    }
}
