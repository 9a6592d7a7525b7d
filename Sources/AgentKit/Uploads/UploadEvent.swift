package import TransferCommon
package import TransferCore
import WireProtocol

/// What an uploader tells whoever watches it.
package enum UploadEvent: Sendable {
    /// A part moved on: plain bytes sent of its size, and whether the store has it.
    case part(key: String, number: PartNumber, sent: UInt64, size: UInt64, isStored: Bool)
    /// A file moved on.
    case file(key: String, UploadProgress)
    /// Something that the user may want to know; the upload goes on by itself.
    case note(key: String, String)
    case finished(path: String, key: String, UploadOutcome, UploadProgress)
    /// A file was checked, or could not be.
    case checked(CheckedFile)
}

/// Files that a run did not begin because it was interrupted.
package struct NotBegun: Equatable, Sendable {
    package var count = 0
    /// Whether there may be more, because not all directories were looked at.
    package var mayBeMore = false

    package init(count: Int = 0, mayBeMore: Bool = false) {
        self.count = count
        self.mayBeMore = mayBeMore
    }

    package var isNothing: Bool { count == 0 && !mayBeMore }

    package static func + (left: NotBegun, right: NotBegun) -> NotBegun {
        NotBegun(count: left.count + right.count, mayBeMore: left.mayBeMore || right.mayBeMore)
    }

    /// What a person is told of it.
    package var sentence: String {
        switch (count, mayBeMore) {
        case (0, _): "interrupted: not all files were looked at"
        case (1, false): "interrupted: 1 file was not begun"
        case (_, false): "interrupted: \(count) files were not begun"
        case (_, true): "interrupted: \(count) files were not begun, and not all were looked at"
        }
    }
}

/// What a push, resume or abort came to.
package struct RunSummary: Equatable, Sendable {
    /// A file that is not stored, and why.
    package struct Failure: Equatable, Sendable {
        package var path: String
        package var key: String
        package var failure: UploadFailure

        package init(path: String, key: String, failure: UploadFailure) {
            self.path = path
            self.key = key
            self.failure = failure
        }
    }

    package var files = 0
    package var failures: [Failure] = []
    /// Beside `files`: those that were left out because the run was interrupted.
    package var notBegun = NotBegun()
    /// Of the files that are stored.
    package var bytes: UInt64 = 0
    /// Plain bytes put on the wire in this run, resends included.
    package var bytesSent: UInt64 = 0
    /// Plain bytes found stored already.
    package var bytesResumed: UInt64 = 0
    /// Of the stored files, those whose user wants a signed receipt and has none; `nil` where nobody wants any.
    package var withoutReceipt: Int?
    /// What the journal has of uploads that are not finished, these and others.
    package var unfinished = 0
    /// All bytes given to sockets, frames included.
    package var wireBytes: UInt64 = 0
    package var seconds: Double = 0

    package init() {}

    /// Whether something was left undone because the run was stopped.
    package var isInterrupted: Bool { !notBegun.isNothing || failures.contains { $0.failure.kind == .stopped } }

    /// 75 where the run was interrupted before all was done; 0 where everything is stored; the failures' own code where
    /// they have one in common; else 1. That code is 1 too where only some files have something wrong with them and
    /// the others are stored.
    package var exitCode: Int32 {
        if isInterrupted { return UploadFailure.Kind.stopped.exitCode }
        let codes = Set(failures.map(\.failure.kind.exitCode))
        guard codes.count == 1, let code = codes.first else { return codes.isEmpty ? 0 : 1 }
        return (64...66).contains(code) && failures.count < files ? 1 : code
    }
}

extension UploadFailure.Kind {
    /// The exit code of a program that ends because of this (after sysexits). For what a gateway's code says, it is
    /// that of the specification's table (§12), and a test compares the two.
    package var exitCode: Int32 {
        switch self {
        case .keyTaken, .sessionLost, .superseded: 1
        case .keyInvalid, .keyUnsupported, .sizeUnsupported, .partSizeUnsupported, .metadataInvalid: 64
        case .changed, .wrongFile, .incomplete: 65
        case .missing, .unreadable: 66
        case .storeRefuses, .bucketMissing, .contentRefused: 69
        case .journalFull: 74
        case .stillWritten, .unreachable, .storeUnavailable, .storeFull, .busy, .gatewayFailed, .fenced, .stopped,
            .outcomeUnknown:
            75
        case .versionUnsupported, .protocolViolation: 76
        case .notAuthorised, .gatewayUntrusted: 77
        }
    }
}
