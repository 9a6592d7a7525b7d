import ArgumentParser
package import Logging
import SystemSupport

/// The form of a program's log.
package enum LogFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
    case text
    case json
}

/// The least importance of an entry of the log, as an argument.
package enum LogLevel: String, CaseIterable, ExpressibleByArgument, Sendable {
    case debug, info, notice, warning, error

    var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}

/// The options for the log of a program that people leave running.
package struct LogOptions: ParsableArguments {
    @Option(help: "The form of the log: lines of text, or one JSON object a line.") package var logFormat =
        LogFormat.text
    @Option(help: "The least important entries that the log has.") package var logLevel = LogLevel.info

    package init() {}

    /// Makes the logger of the program, which writes to standard error.
    ///
    /// - Parameter label: the program's name.
    package func logger(label: String) -> Logger {
        guard logFormat == .json else { return ProgramLog.make(label: label, level: logLevel.level) }
        var logger = Logger(label: label) { JSONLogHandler(label: $0) { Output.notices.log($0) } }
        logger.logLevel = logLevel.level
        return logger
    }
}
