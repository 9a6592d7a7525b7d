import AgentKit
import CommandSupport
import TransferCore

// The objects of the commands that transfer files: push, resume and abort. `ProgressJSON` writes them.

/// Progress of a part.
enum PartFields: String, JSONFields {
    case key
    case relativeKey = "relative_key"
    case number, sent, stored, size

    static let event = "part"
    static let meaning = """
        A part has moved on. `part` and `file` together come at most four times a second; with `--verbose` all of them \
        come.
        """

    var declaration: JSONField {
        switch self {
        case .key: .key
        case .relativeKey: .relativeKey
        case .number: .always(.integer, "the part's number, from 1")
        case .sent: .always(.integer, "bytes of the part that were sent, before compression")
        case .stored: .always(.integer, "`size` if the store has confirmed the part, otherwise 0")
        case .size: .always(.integer, "bytes of the part")
        }
    }
}

/// Progress of a file.
enum FileFields: String, JSONFields {
    case key
    case relativeKey = "relative_key"
    case stored, size, rate

    static let event = "file"
    static let meaning = "A file has moved on."

    var declaration: JSONField {
        switch self {
        case .key: .key
        case .relativeKey: .relativeKey
        case .stored: .always(.integer, "bytes of the file that are stored")
        case .size: .always(.integer, "bytes of the file; of a stream, bytes that have been read")
        case .rate:
            .only(
                "an earlier line of this kind came", .integer,
                "bytes a second that were stored of all files, since the last line of this kind")
        }
    }
}

/// Something that the user may want to know.
enum NoteFields: String, JSONFields {
    case key
    case relativeKey = "relative_key"
    case text

    static let event = "note"
    static let meaning = "Something that the user may want to know. The upload continues."

    var declaration: JSONField {
        switch self {
        case .key: .key
        case .relativeKey: .relativeKey
        case .text: .always(.string, "a sentence for people")
        }
    }
}

/// The end of a file's upload.
enum FinishedFields: String, JSONFields {
    case path
    case pathBytes = "path_bytes"
    case key
    case relativeKey = "relative_key"
    case outcome
    case bytesSent = "bytes_sent"
    case bytesResumed = "bytes_resumed"
    case size
    case partSize = "part_size"
    case etag, root
    case checksumSHA256 = "checksum_sha256"
    case skipped, receipt, message, kept

    static let event = "finished"
    static let meaning = "A file has ended. There is one such line for each file, whatever happens."

    static let stored = "stored"
    static let there = "there"
    static let dropped = "dropped"

    var declaration: JSONField {
        let stored = "the file is stored"
        let failed = "the file failed"
        return switch self {
        case .path:
            .always(
                .string,
                "the file as it was named; `-` for standard input, or the command; empty if the failure concerns no "
                    + "known file")
        case .pathBytes: .pathBytes
        case .key: .key
        case .relativeKey: .relativeKey
        case .outcome:
            .always(
                .word([Self.stored, Self.there, Self.dropped] + UploadFailure.Kind.words),
                """
                `stored`; `there` if the object existed already and no byte was sent; `dropped` if the upload was \
                dropped; otherwise the kind of the failure
                """)
        case .bytesSent: .always(.integer, "bytes of the file that were sent, resends included, before compression")
        case .bytesResumed: .always(.integer, "bytes that were stored already")
        case .size: .only(stored, .integer, "bytes of the object")
        case .partSize: .only(stored, .integer, "bytes of a part, on which `root` depends")
        case .etag: .only(stored, .string, "the object's ETag")
        case .root: .only("it is known", .string, "the root digest of the content")
        case .checksumSHA256: .only("it is known", .string, "the object's SHA-256 as S3 writes it")
        case .skipped:
            .only("the file was not read", .boolean, "`true`: the file is unchanged since it was stored")
        case .receipt: .only("`--receipts` is given", .boolean, "whether the agent has kept the gateway's receipt")
        case .message: .only(failed, .string, "the cause and what to do, for people")
        case .kept: .only(failed, .boolean, "whether `resume` can continue the upload")
        }
    }
}

/// The sums of a run.
enum RunSummaryFields: String, JSONFields {
    case files, failed, stopped, bytes
    case bytesKept = "bytes_kept"
    case bytesSent = "bytes_sent"
    case bytesResumed = "bytes_resumed"
    case wireBytes = "wire_bytes"
    case unfinished, unchanged, seconds
    case withoutReceipt = "without_receipt"
    case specialFiles = "special_files"
    case specialFileBytes = "special_file_bytes"
    case notBegun = "not_begun"
    case moreNotBegun = "more_not_begun"
    case ended

    static let event = "summary"
    static let meaning = "The sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .files: .always(.integer, "files that ended, without those that were dropped")
        case .failed: .always(.integer, "files that are not stored, without those that were interrupted")
        case .stopped: .always(.integer, "files that Ctrl-C or SIGTERM interrupted")
        case .bytes: .always(.integer, "bytes of the stored files")
        case .bytesKept: .always(.integer, "bytes that are stored of unfinished files")
        case .bytesSent: .always(.integer, "bytes of files that were sent, resends included, before compression")
        case .bytesResumed: .always(.integer, "bytes that were stored before this run")
        case .wireBytes: .always(.integer, "bytes given to sockets, frames included")
        case .unfinished: .always(.integer, "unfinished uploads in the home, also those of earlier runs")
        case .unchanged: .always(.integer, "stored files that were not read, because they are unchanged")
        case .seconds: .always(.seconds, "how long the run took")
        case .withoutReceipt: .only("receipts were asked for", .integer, "files that were stored without a receipt")
        case .specialFiles:
            .only(
                "there are any", .strings,
                "paths of FIFOs, sockets, devices and links, at most 1,000: they are left out")
        case .specialFileBytes:
            .only(
                "a path of `special_files` is not UTF-8", .strings,
                "the bytes of these paths in base64, in the same order")
        case .notBegun: .notBegun
        case .moreNotBegun: .moreNotBegun
        case .ended: .ended
        }
    }
}
