package import AgentKit
import CommandSupport
import Synchronization
import SystemSupport
import TransferCommon
package import TransferCore
import WireProtocol

/// Prints the result of each checked file and a summary, as text or as JSON.
package final class CheckReport: Sendable {
    private struct State {
        var files = 0
        var states: [FileCheck.State: Int] = [:]
        var failed = 0
        var receipts = 0
        var statuses: Set<ProgramExit> = []
        var isInterrupted = false
        var ending: UploadFailure?
    }

    private let isJSON: Bool
    private let isQuiet: Bool
    private let output: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let startedAt = ContinuousClock.now

    /// - Parameters:
    ///   - isJSON: whether to print one JSON object per line instead of text.
    ///   - isQuiet: whether to print no line for proven files.
    ///   - output: called with one line at a time.
    package init(isJSON: Bool, isQuiet: Bool, output: @escaping @Sendable (String) -> Void) {
        self.isJSON = isJSON
        self.isQuiet = isQuiet
        self.output = output
    }

    package var exitCode: Int32 { exitStatus.rawValue }

    /// The exit status, by the first case that applies:
    /// - The status of the reason if the run ended before it had examined all files.
    /// - 75 after an interruption.
    /// - 66 if there is no file.
    /// - 0 if every file is proven.
    /// - The status (`CheckedFile.exitStatus`) that all files that are not proven have in common, if there is one;
    ///   otherwise 1.
    private var exitStatus: ProgramExit {
        state.withLock { state in
            if let ending = state.ending { return ending.kind.exitStatus }
            if state.isInterrupted { return UploadFailure.Kind.stopped.exitStatus }
            guard state.files > 0 else { return UploadFailure.Kind.missing.exitStatus }
            return ProgramExit(combining: state.statuses)
        }
    }

    /// Counts a file and prints its line. To be called in the order in which the lines should appear.
    package func observe(_ file: CheckedFile) {
        state.withLock { state in
            state.files += 1
            if file.hasReceipt { state.receipts += 1 }
            switch file.result {
            case .found(let finding): state.states[finding.state, default: 0] += 1
            case .failed(let failure):
                state.failed += 1
                if failure.kind == .stopped { state.isInterrupted = true }
            }
            if file.exitStatus != .success { state.statuses.insert(file.exitStatus) }
        }
        if isQuiet, file.exitStatus == .success { return }
        output(isJSON ? Self.object(file).line : Self.line(of: file))
    }

    /// Prints the summary.
    ///
    /// - Parameters:
    ///   - notBegun: files that were not examined because the command was interrupted or its run has ended.
    ///   - ending: why the run has ended before it had examined all files; `nil` if the user interrupted it.
    package func conclude(notBegun: NotBegun = NotBegun(), ending: UploadFailure? = nil) {
        let state = state.withLock { state in
            if !notBegun.isNothing {
                state.isInterrupted = true
                state.ending = ending
            }
            return state
        }
        guard isJSON else {
            output(Self.sums(state))
            if !notBegun.isNothing { output(notBegun.sentence(ending, .check).withVisibleControls) }
            return
        }
        let proven = state.states[.proven] ?? 0
        var object = JSONObject<CheckSummaryFields>([
            .files: .count(state.files), .proven: .count(proven), .failed: .count(state.failed),
            .notProven: .count(state.states.values.reduce(0, +) - proven), .receipts: .count(state.receipts),
            .seconds: .seconds(ContinuousClock.now - startedAt),
            .ended: state.ending.map { .string($0.kind.rawValue) },
        ])
        object.add(notBegun, count: .notBegun, more: .moreNotBegun)
        output(object.line)
    }

    // MARK: Lines

    private static func line(of file: CheckedFile) -> String {
        let key = (file.key.isEmpty ? file.path : file.key).withVisibleControls
        switch file.result {
        case .found(let finding) where finding.state == .proven: return "\(padded("proven"))  \(key)"
        case .found(let finding):
            return "\(padded(finding.state.words))  \(key): \(finding.reason.withVisibleControls)"
        case .failed(let failure): return "\(padded("failed"))  \(key): \(failure.cause.withVisibleControls)"
        }
    }

    private static let columns = FileCheck.State.allCases.map(\.words.count).max() ?? 0

    private static func padded(_ word: String) -> String {
        word + String(repeating: " ", count: max(columns - word.count, 0))
    }

    private static func sums(_ state: State) -> String {
        var parts = FileCheck.State.allCases.compactMap { kind in
            state.states[kind].map { "\($0) \(kind.words)" }
        }
        if state.failed > 0 { parts.append("\(state.failed) failed") }
        let files = counted(state.files, "file")
        return parts.isEmpty ? files : "\(files): \(parts.joined(separator: ", "))"
    }

    private static func object(_ file: CheckedFile) -> JSONObject<CheckedFields> {
        var object = JSONObject<CheckedFields>([
            .path: .string(file.path), .relativeKey: file.key.isEmpty ? nil : .string(file.key),
            .key: file.key.isEmpty ? nil : file.site.map { .string($0.wholeKey(file.key)) },
            .receipt: file.hasReceipt ? .boolean(true) : nil,
        ])
        switch file.result {
        case .found(let finding):
            object[.state] = .string(finding.state.rawValue)
            object[.reason] = .string(finding.reason)
        case .failed(let failure):
            object[.state] = .string(failure.kind.rawValue)
            object[.reason] = .string(failure.sentence(.check))
            if !failure.pathBytes.isEmpty {
                object[.pathBytes] = .base64(failure.pathBytes)
                // A path that is not UTF-8 has no key.
                (object[.key], object[.relativeKey]) = (nil, nil)
            }
        }
        return object
    }
}
extension FileCheck.State {
    /// The state in words for the user.
    var words: String {
        switch self {
        case .proven: "proven"
        case .changed: "changed"
        case .notSent: "not sent"
        case .otherStore: "other store"
        case .otherKey: "other key"
        case .stillWritten: "being written"
        case .unknown: "unknown"
        case .absent: "absent"
        case .different: "different"
        }
    }
}
