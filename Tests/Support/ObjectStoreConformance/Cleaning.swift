package import ObjectStore
package import TransferCommon

/// One run of a cleaner, with the sessions that it reported.
package struct Cleaning: Sendable {
    package let report: CleaningReport
    package private(set) var removed: [UnfinishedUpload] = []
    package private(set) var failed: [(record: SessionRecord, error: StoreError)] = []
    /// Names of records that cannot be read.
    package private(set) var unreadable: [String] = []

    /// Runs the cleaner and keeps what it reports.
    package init(_ cleaner: UploadCleaner, olderThan age: Duration) async throws(StoreError) {
        var events: [CleaningEvent] = []
        report = try await cleaner.clean(olderThan: age) { events.append($0) }
        for event in events {
            switch event {
            case .removed(let upload): removed.append(upload)
            case .failed(let record, let error): failed.append((record, error))
            case .unreadable(let name, _): unreadable.append(name)
            case .probesFailed: break
            }
        }
    }
}
