import Logging

extension Logger {
    /// A logger that writes nothing, for callers that receive failures as errors, or that do not need them.
    static let silent = Logger(label: "sluice-gateway") { _ in SwiftLogNoOpLogHandler() }
}
