import Logging

extension Logger {
    /// A logger that writes nothing, for callers that get the failure as an error or do not need it.
    static let silent = Logger(label: "sluice-gateway") { _ in SwiftLogNoOpLogHandler() }
}
