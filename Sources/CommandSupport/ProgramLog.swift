package import Logging
package import SystemSupport

/// A program's log: lines on standard error. `--quiet` and `--verbose` choose the level.
package enum ProgramLog {
    /// Makes the logger of a program.
    ///
    /// - Parameter label: the program's name.
    package static func make(label: String, level: Logger.Level) -> Logger {
        var logger = Logger(label: label) { StreamLogHandler(label: $0, stream: LogStream(writer: Output.notices)) }
        logger.logLevel = level
        return logger
    }
}

/// Writes lines of the log without ever waiting for their reader, because event loops log, too. Control characters in a
/// line, also line feeds, are made visible: a device's name or a store's answer cannot forge a line.
package struct LogStream: TextOutputStream, Sendable {
    private let writer: OutputWriter

    package init(writer: OutputWriter) {
        self.writer = writer
    }

    /// Writes one line of the log. The text ends with the line feed of the line.
    package mutating func write(_ text: String) {
        writer.log(
            text.unicodeScalars.last == "\n" ? String(String.UnicodeScalarView(text.unicodeScalars.dropLast())) : text)
    }
}

/// The version that both programs report to people and on the wire.
package let sluiceVersion = "0.1.0"
