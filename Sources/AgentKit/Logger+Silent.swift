package import Logging

extension Logger {
    /// A logger that writes nothing, for callers that get the failure as an error or do not need it.
    package static let silent = Logger(label: "sluice-agent") { _ in SwiftLogNoOpLogHandler() }
}
