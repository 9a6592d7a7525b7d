package import Logging
import SecureChannel
import TransferCommon
import TransferCore
import WireProtocol

/// Checks files against the proofs in the journal: whether each file still has the content that was stored. Asks no
/// gateway, and works while an agent runs in the same home. Blocks.
package struct FileChecker {
    private let home: AgentHome
    private let choice: FileChoice
    private let trustsStamp: Bool
    private let logger: Logger

    /// - Parameter trustsStamp: as `CheckOptions.trustsStamp`.
    package init(home: AgentHome, choice: FileChoice, trustsStamp: Bool, logger: Logger) {
        self.home = home
        self.choice = choice
        self.trustsStamp = trustsStamp
        self.logger = logger
    }

    /// Checks all files of the choice.
    ///
    /// - Parameter observe: called with the result of each file, in the order of the walk.
    package func run(_ observe: (CheckedFile) -> Void) throws {
        let journal = try AgentJournal.open(home, logger: logger)
        let site = try journal.site()
        let clock = FileClock(path: home.clockPath)
        var batches = choice.batches(home: home)
        while true {
            let candidates = batches.next(atMost: UploadFeeder.batchMax)
            guard !candidates.isEmpty else { return }
            let files = candidates.filter { $0.finding != .home }
            let records = try journal.records(ofKeys: files.map(\.key), withReceipts: false)
            for (file, record) in zip(files, records) {
                do throws(UploadFailure) {
                    let source = try file.finding.open()
                    let finding = try check(source, key: file.key, record.checkRecord, site, clock)
                    observe(CheckedFile(path: file.path, key: file.key, at: site, .found(finding)))
                } catch {
                    observe(CheckedFile(path: file.path, key: file.key, at: site, .failed(error)))
                }
            }
        }
    }

    private func check(
        _ file: SourceFile, key: String, _ record: FileCheck.Record, _ site: DeviceSite?, _ clock: FileClock
    ) throws(UploadFailure) -> FileCheck.Finding {
        let look = try file.look(clock: clock)
        switch FileCheck.begin(key: key, record, look, site: site, trustsStamp: trustsStamp) {
        case .found(let finding):
            return finding
        case .read(let partBytes, let expected):
            let reader = PartReader(file: file)
            switch reader.evidence(fileBytes: look.stamp.size, partBytes: partBytes, like: .root(.zero)) {
            case .computed(.root(let root), let later) where look.stamp.difference(whileReading: later) != .changed:
                return FileCheck.finding(read: root, expected: expected)
            case .computed:
                return FileCheck.Finding(.stillWritten, "it changed while it was being read")
            case .failed(let failure):
                throw failure
            }
        }
    }
}

extension Journal.KeyRecord {
    /// The fields of the journal's record that a check uses.
    var checkRecord: FileCheck.Record {
        FileCheck.Record(proof: proof, wasStored: hasReceipt, isUnfinished: unfinished != nil)
    }
}
