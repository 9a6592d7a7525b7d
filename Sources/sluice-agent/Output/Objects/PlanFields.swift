import CommandSupport

// The objects of push --dry-run. `DryRun` writes them.

/// What a push would do with a file.
enum PlannedFields: String, JSONFields {
    case path
    case pathBytes = "path_bytes"
    case key
    case relativeKey = "relative_key"
    case action, size, message

    static let event = "planned"
    static let meaning = "With `--dry-run`: what a push would do with a file."

    static let send = "send"
    static let refuse = "refuse"
    static let leaveOut = "leave_out"

    var declaration: JSONField {
        switch self {
        case .path: .always(.string, "the file as it was named; `-` for standard input, or the command")
        case .pathBytes: .pathBytes
        case .key: .key
        case .relativeKey: .relativeKey
        case .action:
            .always(
                .word([Self.send, Self.refuse, Self.leaveOut]),
                "`send`; `refuse` if it cannot be sent; `leave_out` for the agent's home and for special files")
        case .size: .only("the file would be sent and is no stream", .integer, "bytes of the file")
        case .message: .only("the file would not be sent", .string, "why, for people")
        }
    }
}

/// The sums of what a push would do.
enum PlanSummaryFields: String, JSONFields {
    case files, failed, bytes

    static let event = "summary"
    static let meaning = "With `--dry-run`: the sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .files: .always(.integer, "files that would be sent or refused")
        case .failed: .always(.integer, "files that would be refused")
        case .bytes: .always(.integer, "bytes of the files that would be sent, without streams")
        }
    }
}
