package import Logging

/// A program's log: lines on standard error. `--quiet` and `--verbose` choose the level.
package enum ProgramLog {
    /// - Parameter label: the program's name.
    package static func make(label: String, level: Logger.Level) -> Logger {
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}

/// The version that both programs report to people and on the wire.
package let sluiceVersion = "0.1.0"
