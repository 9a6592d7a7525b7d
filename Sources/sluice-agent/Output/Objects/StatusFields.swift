import AgentKit
import CommandSupport
import TransferCommon
import TransferCore

// The objects of status.

/// An unfinished upload.
enum UnfinishedFields: String, JSONFields {
    case id, path, key
    case relativeKey = "relative_key"
    case size, stored, began
    case isStream = "stream"
    case isDropping = "dropping"
    case reason

    static let event = "unfinished"
    static let meaning = "An unfinished upload."

    var declaration: JSONField {
        switch self {
        case .id: .always(.integer, "its number, which `resume` and `abort` take")
        case .path: .always(.string, "the file, or `-` for a stream")
        case .key: .key
        case .relativeKey: .relativeKey
        case .size: .only("it is no stream", .integer, "bytes of the file when the upload began")
        case .stored: .always(.integer, "bytes that are stored")
        case .began: .always(.time, "when the upload began, by the device's clock")
        case .isStream: .always(.boolean, "whether it is a stream, of which nothing can be resumed")
        case .isDropping: .always(.boolean, "whether it is to be dropped as soon as a gateway can be reached")
        case .reason: .only("a run has failed with it", .string, "the last failure, for people")
        }
    }
}

/// The sums of the unfinished uploads.
enum StatusSummaryFields: String, JSONFields {
    case unfinished, resumable, streams, dropping
    case isBusy = "busy"

    static let event = "summary"
    static let meaning = "The sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .unfinished: .always(.integer, "unfinished uploads")
        case .resumable: .always(.integer, "those that `resume` can continue")
        case .streams: .always(.integer, "those of streams, which can only be dropped")
        case .dropping: .always(.integer, "those that are to be dropped")
        case .isBusy: .always(.boolean, "whether a sluice-agent is at work in this home")
        }
    }
}

extension JSONObject<UnfinishedFields> {
    /// - Parameter site: the device's prefix; `nil` if no gateway has told it.
    init(_ upload: AgentJournal.Unfinished, at site: DeviceSite?) {
        self.init([
            .id: .count(upload.id.value), .path: .string(upload.path), .relativeKey: .string(upload.key),
            .stored: .count(upload.storedBytes), .began: .time(milliseconds: upload.createdMilliseconds),
            .isStream: .boolean(upload.isStream), .isDropping: .boolean(upload.isDropping),
        ])
        self[.key] = site.map { .string($0.wholeKey(upload.key)) }
        if !upload.isStream { self[.size] = .count(upload.size) }
        if !upload.trouble.isEmpty { self[.reason] = .string(upload.trouble) }
    }
}

extension JSONObject<StatusSummaryFields> {
    /// - Parameter isBusy: whether an agent is at work in the home.
    init(_ uploads: [AgentJournal.Unfinished], isBusy: Bool) {
        let dropping = uploads.count { $0.isDropping }
        let streams = uploads.count { $0.isStream && !$0.isDropping }
        self.init([
            .unfinished: .count(uploads.count), .resumable: .count(uploads.count - dropping - streams),
            .streams: .count(streams), .dropping: .count(dropping), .isBusy: .boolean(isBusy),
        ])
    }
}
