import Logging
import TestSupport

/// Appends each logged line, with message and metadata, to a list for the test.
struct LineKeeper: LogHandler {
    let log: Watched<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    static func logger(_ log: Watched<[String]>) -> Logger { Logger(label: "test") { _ in LineKeeper(log: log) } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let data = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        log.update { $0.append("\(event.message) \(data.joined(separator: ", "))") }
    }
}
