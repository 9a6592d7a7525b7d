import Logging

/// Tells the operator which devices have the prefix `NAME/` only because their line states none.
///
/// In earlier versions a line without a prefix allowed any key, and commands wrote such lines. So after an upgrade
/// these devices may write fewer keys, and the gateway says so at start. It repeats the message only when the file has
/// changed and other devices have such lines.
package struct AssumedPrefixes: Sendable {
    /// Maximum number of names in one message: a list may have many thousands of devices.
    private static let namesMax = 20
    private static let explanation =
        "Each of these devices may write only the keys that begin with its name and a slash. In earlier versions such "
        + "a line meant any key. Add prefix=NAME/ to the line, or prefix= for any key."

    private let file: String
    private var told: [String] = []

    package init(in file: String) {
        self.file = file
    }

    /// Logs the message that `fileWasRead` returns, if any.
    mutating func tell(_ names: [String], _ logger: Logger) {
        if let message = fileWasRead(names) { logger.warning("\(message)") }
    }

    /// Decides whether the operator gets a message after the file was read.
    ///
    /// - Parameter names: the devices whose lines state no prefix.
    /// - Returns: the message for the log; `nil` if `names` is empty or equals the names of the previous call.
    package mutating func fileWasRead(_ names: [String]) -> String? {
        defer { told = names }
        guard !names.isEmpty, names != told else { return nil }
        return Self.message(names, in: file)
    }

    /// The message about devices whose lines state no prefix.
    ///
    /// - Returns: `nil` if `names` is empty.
    package static func message(_ names: [String], in file: String) -> String? {
        guard !names.isEmpty else { return nil }
        let rest = names.count > namesMax ? " and \(names.count - namesMax) more" : ""
        let first = names.prefix(namesMax).joined(separator: ", ")
        return "\(file) has lines without prefix=: \(first)\(rest). \(explanation)"
    }
}
