package import Logging
package import ObjectStore

/// Removes unfinished uploads that nobody goes on with, while a gateway serves.
///
/// Every gateway of a site does so, without asking the others: what one has removed the next finds gone, and what is
/// alive none of them touches (`UploadCleaner`).
package struct ExpiryKeeper: Sendable {
    private let store: any ObjectStore
    /// How long an upload may be left alone.
    private let expiry: Duration
    private let logger: Logger

    /// - Parameter expiry: since the newest part or the last word of a record, by the store's clock.
    package init(store: any ObjectStore, expiry: Duration, logger: Logger) {
        self.store = store
        self.expiry = expiry
        self.logger = logger
    }

    /// Between two looks: a part of the expiry, so that nothing stays much longer, and not more often than is of use.
    private var interval: Duration { min(max(expiry / 8, .seconds(1)), .seconds(3_600)) }

    /// Cleans soon and then every now and then, until the task is cancelled.
    func run() async {
        var generator = SystemRandomNumberGenerator()
        var pause = min(interval, .seconds(60))
        while !Task.isCancelled {
            // Gateways that were started together do not walk the records together for ever.
            let share = Double.random(in: 0.75...1.25, using: &generator)
            // Cancelled while asleep: then nothing is looked at any more.
            try? await Task.sleep(for: pause * share)
            if !Task.isCancelled { await clean() }
            pause = interval
        }
    }

    /// Cleans once and says what came of it.
    package func clean() async {
        do {
            let report = try await UploadCleaner(store: store, logger: logger).clean(olderThan: expiry)
            tell(report)
        } catch {
            guard error.reason != .cancelled else { return }
            logger.warning(
                "Unfinished uploads could not be looked through", metadata: ["store.error": "\(error.shortDescription)"]
            )
        }
    }

    private func tell(_ report: CleaningReport) {
        let kept = report.keptCount + report.failed.count + report.unreadable.count
        guard !report.removed.isEmpty || !report.failed.isEmpty else {
            logger.debug("No unfinished upload has expired", metadata: ["uploads.kept": "\(kept)"])
            return
        }
        logger.notice(
            "Removed expired unfinished uploads",
            metadata: [
                "uploads.removed": "\(report.removed.count)", "uploads.removed_bytes": "\(report.removedBytes)",
                "uploads.oldest_seconds": "\(report.oldestAge?.components.seconds ?? 0)",
                "uploads.kept": "\(kept)", "uploads.failed": "\(report.failed.count)",
            ])
    }
}
