import CommandSupport
import TransferCore

// The objects of check. `CheckReport` writes them.

/// The result of checking a file.
enum CheckedFields: String, JSONFields {
    case path
    case pathBytes = "path_bytes"
    case key
    case relativeKey = "relative_key"
    case state, reason, receipt

    static let event = "checked"
    static let meaning = "The result of checking a file. With `--quiet` proven files get no line."

    var declaration: JSONField {
        switch self {
        case .path: .always(.string, "the file as it was named")
        case .pathBytes: .pathBytes
        case .key: .key
        case .relativeKey: .relativeKey
        case .state:
            .always(
                .word(FileCheck.State.allCases.map(\.rawValue) + UploadFailure.Kind.words),
                "what was found, or the kind of the failure")
        case .reason: .always(.string, "why, for people")
        case .receipt: .only("a receipt was kept", .boolean, "`true`: the gateway has signed a receipt")
        }
    }
}

/// The sums of a check.
enum CheckSummaryFields: String, JSONFields {
    case files, proven
    case notProven = "not_proven"
    case failed, receipts, seconds
    case notBegun = "not_begun"
    case moreNotBegun = "more_not_begun"
    case ended

    static let event = "summary"
    static let meaning = "The sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .files: .always(.integer, "files that were examined")
        case .proven: .always(.integer, "files whose content is stored")
        case .notProven: .always(.integer, "files of which that is not known, or not so")
        case .failed: .always(.integer, "files that could not be checked")
        case .receipts: .always(.integer, "receipts that the agent has kept")
        case .seconds: .always(.seconds, "how long the check took")
        case .notBegun: .notBegun
        case .moreNotBegun: .moreNotBegun
        case .ended: .ended
        }
    }
}
