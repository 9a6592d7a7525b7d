package import AgentKit
import CommandSupport
import Synchronization
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

/// Prints the events of a run as JSON, one object per line. The part of `ProgressLines` for programs.
package final class ProgressJSON: Sendable {
    private struct State {
        var pace = ProgressPace()
        var rate = StoredRate()
        /// The device's store and prefix; `nil` as long as no gateway has named them.
        var site: DeviceSite?
    }

    private let printsAll: Bool
    private let reader: @Sendable () -> ProgressLines.Reader
    private let notices: @Sendable (String) -> Void
    private let output: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// The other parameters are those of `ProgressLines`.
    ///
    /// - Parameter printsAll: whether to print all progress of parts and files, and not only as much as `ProgressPace`
    ///   takes.
    package init(
        printsAll: Bool, reader: @escaping @Sendable () -> ProgressLines.Reader,
        notices: @escaping @Sendable (String) -> Void, output: @escaping @Sendable (String) -> Void
    ) {
        self.printsAll = printsAll
        self.reader = reader
        self.notices = notices
        self.output = output
    }

    /// Prints an event.
    package func observe(_ event: UploadEvent, at now: ContinuousClock.Instant = .now) {
        switch event {
        case .site(let site):
            state.withLock { $0.site = site }
        case .part(let key, let number, let sent, let size, let isStored):
            guard takes(.part, at: now) else { return }
            emit(
                JSONObject<PartFields>([
                    .key: wholeKey(key), .relativeKey: .string(key), .number: .count(number.value),
                    .sent: .count(sent), .stored: .count(isStored ? size : 0), .size: .count(size),
                ]))
        case .file(let key, let figures):
            state.withLock { $0.rate.observe(figures.storedBytes, ofKey: key) }
            guard takes(.file, at: now) else { return }
            emit(
                JSONObject<FileFields>([
                    .key: wholeKey(key), .relativeKey: .string(key), .stored: .count(figures.storedBytes),
                    .size: .count(figures.size),
                    .rate: state.withLock { $0.rate.next(at: now) }.map { .count($0) },
                ]))
        case .note(let key, let text):
            emit(
                JSONObject<NoteFields>([
                    .key: wholeKey(key), .relativeKey: key.isEmpty ? nil : .string(key), .text: .string(text),
                ]))
        case .finished(let path, let key, let outcome, let figures):
            state.withLock { $0.rate.ended(key) }
            emit(end(path: path, key: key, outcome, figures))
        case .awaitingGateway(let sentence):
            notices(sentence)
        case .ended, .checked:
            break
        }
    }

    /// Prints the summary.
    package func conclude(_ summary: RunSummary) {
        var object = JSONObject<RunSummaryFields>([
            .files: .count(summary.files), .failed: .count(summary.failedCount),
            .stopped: .count(summary.stoppedCount), .bytes: .count(summary.bytes),
            .bytesKept: .count(summary.bytesKept), .bytesSent: .count(summary.bytesSent),
            .bytesResumed: .count(summary.bytesResumed), .wireBytes: .count(summary.wireBytes),
            .unfinished: .count(summary.unfinished.total), .unchanged: .count(summary.unchanged),
            .seconds: .seconds(.milliseconds((summary.seconds * 1_000).rounded())),
            .withoutReceipt: summary.withoutReceipt.map { .count($0) },
        ])
        let special = summary.specialFiles
        if special.count > 0 {
            object[.specialFiles] = .strings(special.paths)
            if !special.pathBytes.isEmpty {
                object[.specialFileBytes] = .strings(
                    special.paths.enumerated().map { JSONText.base64(special.pathBytes[$0] ?? Array($1.utf8)) })
            }
        }
        object.add(summary.notBegun, count: .notBegun, more: .moreNotBegun)
        if let ending = summary.ending, summary.exitStatus != .success {
            object[.ended] = .string(ending.kind.rawValue)
        }
        emit(object)
    }

    private func end(
        path: String, key: String, _ outcome: UploadOutcome, _ figures: UploadProgress
    ) -> JSONObject<FinishedFields> {
        var object = JSONObject<FinishedFields>([
            .path: .string(path), .key: wholeKey(key), .relativeKey: key.isEmpty ? nil : .string(key),
            .bytesSent: .count(figures.bytesSent), .bytesResumed: .count(figures.bytesResumed),
        ])
        switch outcome {
        case .stored(let receipt, let wasThere):
            object[.outcome] = .string(wasThere ? FinishedFields.there : FinishedFields.stored)
            if let site = receipt.site { object[.key] = .string(site.wholeKey(key)) }
            if receipt.isUnchanged { object[.skipped] = .boolean(true) }
            object[.size] = .count(receipt.size)
            object[.partSize] = .count(receipt.partBytes)
            object[.etag] = .string(receipt.etag)
            object[.root] = receipt.root.map { .string($0.description) }
            object[.checksumSHA256] = receipt.checksumSHA256.map { .string($0) }
            if receipt.signed != .notAskedFor { object[.receipt] = .boolean(receipt.signed != .missing) }
        case .dropped:
            object[.outcome] = .string(FinishedFields.dropped)
        case .failed(let failure):
            object[.outcome] = .string(failure.kind.rawValue)
            let step = NextStep(after: failure, path: path, figures)
            object[.message] = .string(failure.sentence(step))
            object[.kept] = .boolean(step == .pushOrResume)
            if !failure.pathBytes.isEmpty {
                object[.pathBytes] = .base64(failure.pathBytes)
                // A path that is not UTF-8 has no key.
                (object[.key], object[.relativeKey]) = (nil, nil)
            }
        }
        return object
    }

    private func takes(_ kind: ProgressPace.Kind, at now: ContinuousClock.Instant) -> Bool {
        // If the reader is slow, leave the progress out.
        guard reader() != .behind else { return false }
        return printsAll || state.withLock { $0.pace.takes(kind, at: now) }
    }

    /// The key in the store; `nil` for a file without a key, and as long as the device's prefix is unknown.
    private func wholeKey(_ key: String) -> JSONValue? {
        key.isEmpty ? nil : state.withLock { $0.site }.map { .string($0.wholeKey(key)) }
    }

    private func emit<Fields: JSONFields>(_ object: JSONObject<Fields>) { output(object.line + "\n") }
}

extension JSONObject {
    /// Adds how many files a run did not begin, if there are any.
    mutating func add(_ notBegun: NotBegun, count: Fields, more: Fields) {
        guard !notBegun.isNothing else { return }
        self[count] = .count(notBegun.count)
        self[more] = .boolean(notBegun.mayBeMore)
    }
}
