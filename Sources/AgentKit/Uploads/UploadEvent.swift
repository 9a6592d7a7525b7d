package import SystemSupport
package import TransferCommon
package import TransferCore
import WireProtocol

/// An event that `Uploader` reports to its observer.
package enum UploadEvent: Sendable {
    /// The device's store and key prefix, as far as they are known: as the journal has them, and again when a gateway
    /// names others. With them the keys of later events become whole keys.
    case site(DeviceSite)
    /// Progress of a part: how many of its `size` uncompressed bytes were sent, and whether the store has confirmed the
    /// part.
    case part(key: String, number: PartNumber, sent: UInt64, size: UInt64, isStored: Bool)
    /// Progress of a file.
    case file(key: String, UploadProgress)
    /// Information for the user. The upload continues, and the user need not act.
    case note(key: String, String)
    /// The work on a file has ended. Path and key are empty if the failure concerns no file that is known, as that of a
    /// number that no unfinished upload has.
    case finished(path: String, key: String, UploadOutcome, UploadProgress)
    /// The run waits for a gateway. The sentence for the user names the gateway, the reason and the time limit.
    case awaitingGateway(String)
    /// The run ends for this reason before all its work is done. Events of the uploads that end for the same reason
    /// follow.
    case ended(UploadFailure)
    /// The result of checking a file.
    case checked(CheckedFile)
}

/// Files that a run did not begin, because it was interrupted or has ended before.
package struct NotBegun: Equatable, Sendable {
    package var count = 0
    /// Whether more files than `count` may exist, because the walk did not visit all directories.
    package var mayBeMore = false

    package init(count: Int = 0, mayBeMore: Bool = false) {
        self.count = count
        self.mayBeMore = mayBeMore
    }

    package var isNothing: Bool { count == 0 && !mayBeMore }

    package static func + (left: NotBegun, right: NotBegun) -> NotBegun {
        NotBegun(count: left.count + right.count, mayBeMore: left.mayBeMore || right.mayBeMore)
    }

    /// The message for the user about the files that the run did not begin.
    ///
    /// - Parameters:
    ///   - ending: why the run has ended before it began these files; `nil` if the user interrupted it.
    ///   - step: what the user can do for these files.
    package func sentence(_ ending: UploadFailure? = nil, _ step: NextStep) -> String {
        let files =
            switch (count, mayBeMore) {
            case (0, _): "not all files were looked at"
            case (1, false): "1 file was not begun"
            case (_, false): "\(count) files were not begun"
            case (_, true): "\(count) files were not begun, and not all were looked at"
            }
        return ending.map { "\(files): \($0.sentence(step))" } ?? "interrupted: \(files)"
    }
}

/// Result of a push, resume or abort.
package struct RunSummary: Equatable, Sendable {
    /// A file that is not stored, and the reason.
    package struct Failure: Equatable, Sendable {
        package var path: String
        package var key: String
        package var failure: UploadFailure
        package var step: NextStep

        package init(path: String, key: String, failure: UploadFailure, step: NextStep = .push) {
            self.path = path
            self.key = key
            self.failure = failure
            self.step = step
        }
    }

    /// Maximum number of failures in the list of a summary. Of a million files that fail, the summary then keeps only
    /// the first, and counts the others.
    package static let failuresMax = 1_000

    package var files = 0
    /// The first failures, at most `failuresMax`.
    package var failures: [Failure] = []
    /// Number of failures that are not in the list, by their kind.
    package var unlisted: [UploadFailure.Kind: Int] = [:]
    /// Files that the run did not begin because it was interrupted or has ended. `files` does not include them.
    package var notBegun = NotBegun()
    /// What the user can do for the files that the run did not begin.
    package var step = NextStep.push
    /// Special files below directories, which are not sent.
    package var specialFiles = SpecialFiles()
    /// Why the run has ended before all its work was done; `nil` if it has not, or if the user interrupted it.
    package var ending: UploadFailure?
    /// Stored files that were not read, because they are unchanged since they were stored.
    package var unchanged = 0
    /// Total size of the stored files in bytes.
    package var bytes: UInt64 = 0
    /// Bytes that are stored of files that are not complete, and that a later run need not send again.
    package var bytesKept: UInt64 = 0
    /// Uncompressed bytes of file content sent in this run, including bytes that were sent a second time.
    package var bytesSent: UInt64 = 0
    /// Uncompressed bytes that were stored already when the run began.
    package var bytesResumed: UInt64 = 0
    /// Number of stored files without the signed receipt that the user wants; `nil` if no receipt is wanted.
    package var withoutReceipt: Int?
    /// Unfinished uploads in the journal, both of this run and of earlier runs.
    package var unfinished = UnfinishedCounts()
    /// All bytes written to sockets, including frame headers.
    package var wireBytes: UInt64 = 0
    package var seconds: Double = 0

    package init() {}

    /// Number of files that are not stored.
    package var failed: Int { failures.count + unlisted.values.reduce(0, +) }

    /// Files that the user's stop has interrupted.
    package var stoppedCount: Int { failures.count { $0.failure.kind == .stopped } + unlisted[.stopped, default: 0] }

    /// Files that are not stored for another reason than the user's stop.
    package var failedCount: Int { failed - stoppedCount }

    /// The kinds of all failures.
    package var failedKinds: Set<UploadFailure.Kind> { Set(failures.map(\.failure.kind)).union(unlisted.keys) }

    /// Whether the run was stopped before all files were stored.
    package var isInterrupted: Bool { !notBegun.isNothing || failedKinds.contains(.stopped) }

    /// Why a push has found no file; `nil` if it has found one, or if it ended before it had looked everywhere.
    package var sentenceIfNothingWasFound: String? {
        files == 0 && failed == 0 && notBegun.isNothing && ending == nil
            ? specialFiles.sentenceIfNothingIsSent : nil
    }

    private var isIncomplete: Bool { !notBegun.isNothing || failed > 0 }

    package var exitCode: Int32 { exitStatus.rawValue }

    /// Exit status of the run.
    ///
    /// - 0 if every file is stored.
    /// - The exit code of the reason, if the run has ended before all its work was done.
    /// - 75 if the run was interrupted.
    /// - The exit code that all failures have in common, if there is one; otherwise 1.
    /// - 1 if the common code is between 64 and 66 and some files are stored. These codes say that the input of the
    ///   command is wrong as a whole, and here only some of its files are.
    package var exitStatus: ProgramExit {
        if let ending, isIncomplete { return ending.kind.exitStatus }
        if isInterrupted { return UploadFailure.Kind.stopped.exitStatus }
        let status = ProgramExit(combining: failedKinds.map(\.exitStatus))
        return (.usage ... .missingInput).contains(status) && failed < files ? .failure : status
    }
}

extension UploadFailure.Kind {
    package var exitCode: Int32 { exitStatus.rawValue }

    /// Exit status of a program that ends with this failure. For failures that a gateway reports, a test compares the
    /// code with the table in the specification (§12).
    package var exitStatus: ProgramExit {
        switch self {
        case .keyTaken, .sessionLost, .superseded: .failure
        case .keyInvalid, .keyUnsupported, .sizeUnsupported, .partSizeUnsupported, .metadataInvalid: .usage
        case .changed, .wrongFile, .incomplete: .wrongData
        case .missing, .unreadable: .missingInput
        case .storeRefuses, .bucketMissing, .contentRefused: .storeRefuses
        case .journalFull: .outputLost
        case .stillWritten, .tooManyOpenFiles, .gatewayAtWork, .unreachable, .storeUnavailable, .storeFull, .busy,
            .gatewayFailed, .fenced, .stopped, .outcomeUnknown:
            .tryAgain
        case .versionUnsupported, .protocolViolation: .protocolMismatch
        case .notAuthorised, .gatewayUntrusted: .notAuthorised
        }
    }
}
