import Foundation
package import Logging

/// Writes each entry of the log as a JSON object on a line of its own, for programs that collect logs.
///
/// The fields are `time`, `level`, `logger`, `message`, and `metadata` and `error` if the entry has them.
package struct JSONLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - label: the name of the logger.
    ///   - write: writes a line, without its line feed.
    package init(label: String, write: @escaping @Sendable (String) -> Void) {
        self.label = label
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the event as one line.
    package func log(event: LogEvent) {
        let values = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        var fields = [
            ("time", JSONText.of(.time(Date()))), ("level", JSONText.quoted(event.level.rawValue)),
            ("logger", JSONText.quoted(label)), ("message", JSONText.quoted("\(event.message)")),
        ]
        if !values.isEmpty { fields.append(("metadata", Self.json(.dictionary(values)))) }
        if let error = event.error { fields.append(("error", JSONText.quoted("\(error)"))) }
        write(Self.object(fields))
    }

    private static func json(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): JSONText.quoted(text)
        case .stringConvertible(let value): JSONText.quoted("\(value)")
        case .array(let values): "[" + values.map(json).joined(separator: ",") + "]"
        case .dictionary(let values): object(values.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) })
        }
    }

    private static func object(_ fields: [(name: String, json: String)]) -> String {
        "{" + fields.map { JSONText.quoted($0.name) + ":" + $0.json }.joined(separator: ",") + "}"
    }
}
