package import ObjectStore
import SystemSupport
package import TransferCommon

/// What the commands `uploads list` and `uploads clean` print, and their exit codes. After a failure with one upload,
/// the commands continue with the others.
package struct UploadReport {
    private var statuses: Set<ProgramExit> = []
    private var failureCount = 0
    /// What the commands find out, for programs.
    package enum Entry: Sendable {
        /// An unfinished upload.
        ///
        /// - Parameter age: the time since its newest part; `nil` if the store does not report it.
        case upload(UnfinishedUpload, age: Duration?)
        case removed(UnfinishedUpload)
        /// A failure with an upload whose record is known, with a record that cannot be read, or with neither.
        case failed(SessionRecord?, recordName: String?, message: String)
        /// The sums of a list. `oldest` is 0 if there is no upload.
        case listed(count: Int, bytes: UInt64, oldest: Duration, failed: Int)
        /// The sums of cleaning.
        case cleaned(CleaningReport, failed: Int)
    }

    private let observe: @Sendable (Entry) -> Void
    private let advise: @Sendable (String) -> Void

    private init(
        observe: @escaping @Sendable (Entry) -> Void, advise: @escaping @Sendable (String) -> Void
    ) {
        self.observe = observe
        self.advise = advise
    }

    private var exitCode: Int32 { ProgramExit(combining: statuses).rawValue }

    private var failures: String { failureCount == 0 ? "" : ", \(failureCount) failed" }

    /// - Parameter error: the error of the store, which gives the exit code; `nil` if repeating the command does not
    ///   help. The exit code is then 1.
    private mutating func failed(
        _ sentence: String, _ record: SessionRecord? = nil, named name: String? = nil, _ error: StoreError?
    ) {
        failureCount += 1
        observe(.failed(record, recordName: name, message: sentence))
        statuses.insert(error.flatMap { GatewayFailure($0)?.exitStatus } ?? .failure)
        advise(sentence)
    }

    private mutating func unreadable(_ name: String, _ error: StoreError?) {
        let reason = error.map { "\($0)" } ?? "It is damaged, or a later version of Sluice wrote it."
        failed("the record \(name) cannot be read: \(reason)", named: name, error)
    }

    /// Prints one row for each unfinished upload, and their number.
    ///
    /// - Parameters:
    ///   - observe: called with what programs read.
    ///   - row: called with the cells of an upload: session, age, number of parts, bytes stored, device, key, and a
    ///     remark that may be empty.
    ///   - advise: called with a sentence for each failure.
    /// - Returns: the exit code.
    package static func list(
        _ cleaner: UploadCleaner, observe: @escaping @Sendable (Entry) -> Void = { _ in },
        row: @Sendable ([String]) -> Void, _ print: @Sendable (String) -> Void,
        advise: @escaping @Sendable (String) -> Void
    ) async throws(StoreError) -> Int32 {
        var report = UploadReport(observe: observe, advise: advise)
        var (count, bytes, oldest) = (0, UInt64(0), Duration.zero)
        var entries = cleaner.unfinished().makeAsyncIterator()
        while let entry = try await entries.next(isolation: #isolation) {
            switch entry {
            case .upload(let upload, let age):
                count += 1
                bytes = bytes.addingReportingOverflow(upload.storedBytes).partialValue
                oldest = max(oldest, age ?? .zero)
                observe(.upload(upload, age: age))
                row([
                    "\(upload.session)", age.map(text) ?? "age unknown", "\(upload.partCount) parts",
                    "\(upload.storedBytes) B", upload.device, upload.key,
                    upload.isUndecided ? "(perhaps with an upload of another program; not removed)" : "",
                ])
            case .unreadable(let name, let error):
                report.unreadable(name, error)
            case .failed(let record, let error):
                report.failed(
                    "the upload \(record.session)  \(record.device)  \(record.key) cannot be looked up: \(error)",
                    record, error)
            }
        }
        observe(.listed(count: count, bytes: bytes, oldest: oldest, failed: report.failureCount))
        print(
            count == 0 && report.failureCount == 0
                ? "No unfinished uploads."
                : "\(count) unfinished, \(bytes) B stored, the oldest \(text(oldest))\(report.failures).")
        return report.exitCode
    }

    /// Removes unfinished uploads that have received no part for `age`. Prints a line for each of them, and the sums.
    ///
    /// - Parameters:
    ///   - observe: called with what programs read.
    ///   - advise: called with a sentence for each failure.
    /// - Returns: the exit code.
    package static func clean(
        _ cleaner: UploadCleaner, olderThan age: Duration, observe: @escaping @Sendable (Entry) -> Void = { _ in },
        _ print: @Sendable (String) -> Void, advise: @escaping @Sendable (String) -> Void
    ) async throws(StoreError) -> Int32 {
        var report = UploadReport(observe: observe, advise: advise)
        let sums = try await cleaner.clean(olderThan: age) { event in
            switch event {
            case .removed(let upload):
                observe(.removed(upload))
                print("removed \(upload.session)  \(upload.device)  \(upload.key)")
            case .failed(let record, let error):
                report.failed(
                    "the upload \(record.session)  \(record.device)  \(record.key) was not removed: \(error)", record,
                    error)
            case .unreadable(let name, let error):
                report.unreadable(name, error)
            case .probesFailed(let error):
                report.failed("leftovers of interrupted start-up tests were not removed: \(error)", nil, error)
            }
        }
        observe(.cleaned(sums, failed: report.failureCount))
        if sums.probeCount > 0 { print("removed \(sums.probeCount) leftovers of interrupted start-up tests") }
        print(
            "\(sums.removedCount) removed (\(sums.removedBytes) B), \(sums.keptCount) kept\(report.failures).")
        return report.exitCode
    }

    private static func text(_ age: Duration) -> String {
        let seconds = age.components.seconds
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<7_200: return "\(seconds / 60)min"
        case ..<172_800: return "\(seconds / 3_600)h"
        default: return "\(seconds / 86_400)d"
        }
    }
}
