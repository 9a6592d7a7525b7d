import Foundation
import Logging
import NIOPosix
import TransferCore
import WireProtocol

/// Drops uploads while another agent process works in the home: this process marks the uploads in the journal, and the
/// other process finds the marks and drops the uploads.
struct DropMark {
    private static let patience = Duration.seconds(30)
    private static let interval = Duration.milliseconds(100)

    let home: AgentHome
    let logger: Logger
    let control: UploadControl

    /// Marks the uploads. Then waits for each upload until the other process has dropped it, but at most for
    /// `patience`.
    func drop(_ ids: [UploadID], observe: (UploadEvent) -> Void) async throws -> RunSummary {
        let journal = try await Self.onThread { [home, logger] in try AgentJournal.open(home, logger: logger) }
        if let site = try await Self.onThread({ try journal.site() }) { observe(.site(site)) }
        var summary = RunSummary()
        for id in ids {
            var figures = UploadProgress(size: 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
            let row = try await Self.onThread { try journal.upload(id) }
            figures.isDropping = row != nil
            let outcome = try await drop(id, row, in: journal)
            summary.add(outcome, figures, path: row?.path ?? "", key: row?.key ?? "")
            observe(.finished(path: row?.path ?? "", key: row?.key ?? "", outcome, figures))
        }
        return summary
    }

    /// Uses the journal on a pool thread, because the disk may block.
    private static func onThread<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await NIOThreadPool.singleton.runIfActive(body)
    }

    private func drop(_ id: UploadID, _ row: Journal.Row?, in journal: Journal) async throws -> UploadOutcome {
        guard let row else { return .failed(.noUpload(id)) }
        let finished = try await Self.onThread {
            let finished = try journal.finishedMilliseconds(key: row.key)
            try journal.apply([.dropping(id)], nowMilliseconds: 0) { _ in nil }
            return finished
        }
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline, !control.isStopped {
            let (now, lastFinished) = try await Self.onThread {
                (try journal.upload(id), try journal.finishedMilliseconds(key: row.key))
            }
            guard now?.isDropping == true else {
                guard lastFinished == finished else {
                    return .failed(UploadFailure(.superseded, "it was stored before it could be dropped"))
                }
                return .dropped
            }
            try await Task.sleep(for: Self.interval)
        }
        if control.isStopped {
            return .failed(
                UploadFailure(.stopped, "interrupted: the sluice-agent at work in this home has not dropped it yet"))
        }
        return .failed(
            UploadFailure(.busy, "the sluice-agent at work in this home has not dropped it yet"))
    }
}

extension UploadFailure {
    /// The failure for an upload that the user has named and the journal does not have.
    static func noUpload(_ id: UploadID) -> UploadFailure {
        UploadFailure(.missing, "there is no unfinished upload \(id.value); sluice-agent status lists them")
    }
}
