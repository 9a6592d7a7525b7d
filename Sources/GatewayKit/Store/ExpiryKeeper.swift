package import Logging
package import ObjectStore
import TransferCommon

/// Removes abandoned unfinished uploads while a gateway serves.
///
/// Every gateway of a site does this independently. Removing an upload twice is harmless, and `UploadCleaner` never
/// removes an upload that is in use.
package struct ExpiryKeeper: Sendable {
    private let store: any ObjectStore
    private let expiry: Duration
    private let logger: Logger

    /// - Parameter expiry: an upload is removed once its newest part and the last write of its record are both older
    ///   than this, by the store's clock.
    package init(store: any ObjectStore, expiry: Duration, logger: Logger) {
        self.store = store
        self.expiry = expiry
        self.logger = logger
    }

    /// Pause between two runs. An eighth of the expiry, so that no upload stays much longer than the expiry; at least
    /// one second, at most one hour.
    private var interval: Duration { min(max(expiry / 8, .seconds(1)), .seconds(3_600)) }

    /// Cleans for the first time within about a minute, and then once per `interval`, until the task is cancelled.
    func run() async {
        var generator = SystemRandomNumberGenerator()
        var pause = min(interval, .seconds(60))
        while !Task.isCancelled {
            // Random pauses keep gateways that started together from scanning the records at the same time.
            let share = Double.random(in: 0.75...1.25, using: &generator)
            // Cancellation ends the sleep early; the loop then ends without another run.
            try? await Task.sleep(for: pause * share)
            if !Task.isCancelled { await clean() }
            pause = interval
        }
    }

    /// Cleans once and logs the result.
    package func clean() async {
        do {
            let report = try await UploadCleaner(store: store, logger: logger).clean(olderThan: expiry)
            tell(report)
        } catch {
            guard error.reason != .cancelled else { return }
            logger.log(
                "Could not look for expired unfinished uploads; the next look follows within an hour", error,
                at: .warning, ["store.error": "\(error.shortDescription)"])
        }
    }

    private func tell(_ report: CleaningReport) {
        let kept = report.keptCount + report.failedCount + report.unreadableCount
        if report.failedCount > 0 || report.unreadableCount > 0 {
            logger.warning(
                "Some unfinished uploads could not be read or removed; sluice-gateway uploads list names them",
                metadata: [
                    "uploads.failed": "\(report.failedCount)", "uploads.unreadable": "\(report.unreadableCount)",
                ])
        }
        guard report.removedCount > 0 else {
            logger.debug("No unfinished upload has expired", metadata: ["uploads.kept": "\(kept)"])
            return
        }
        logger.notice(
            "Removed expired unfinished uploads",
            metadata: [
                "uploads.removed": "\(report.removedCount)", "uploads.removed_bytes": "\(report.removedBytes)",
                "uploads.oldest_seconds": "\(report.oldestAge?.components.seconds ?? 0)",
                "uploads.kept": "\(kept)",
            ])
    }
}
