package import Logging

extension Logger {
    /// For what is better told by an error, or by nobody: it writes nothing.
    package static let silent = Logger(label: "sluice-agent") { _ in SwiftLogNoOpLogHandler() }
}
