import Logging
import Synchronization
import SystemSupport

/// Logs that one piece of work fails, and that it succeeds again. The same failure is written at once, and then at most
/// once a minute with the number of failures (`FailureSeries`).
final class FailureLog: Sendable {
    private let message: Logger.Message
    private let recovery: Logger.Message?
    private let logger: Logger
    private let clock = MonotonicClock()
    private let series = Mutex(FailureSeries<String>())

    /// - Parameters:
    ///   - message: what fails, and what follows from it.
    ///   - recovery: what succeeds again; `nil` if the log says nothing then.
    init(_ message: Logger.Message, recovery: Logger.Message? = nil, logger: Logger) {
        self.message = message
        self.recovery = recovery
        self.logger = logger
    }

    func failed(_ error: any Error) {
        let now = clock.now
        let sort = ErrorSentence(error).description
        guard case .write(let repeated) = series.withLock({ $0.failed(sort, now: now) }) else { return }
        logger.log(message, error, at: .warning, repeated > 0 ? ["repeated": "\(repeated)"] : [:])
    }

    func succeeded() {
        guard let ended = series.withLock({ [clock] in $0.succeeded(now: clock.now) }), let recovery else { return }
        logger.warning(
            recovery,
            metadata: ["failures": "\(ended.failures)", "failing_seconds": "\(ended.lasted.components.seconds)"])
    }
}
