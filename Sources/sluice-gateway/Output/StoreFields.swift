import CommandSupport
import GatewayKit
import ObjectStore
import TransferCommon

// The objects of the commands on a store.

/// An unfinished upload.
enum UploadFields: String, JSONFields {
    case session, device, key, size, parts, stored
    case age = "age_seconds"
    case isUndecided = "undecided"

    static let event = "upload"
    static let meaning = "An unfinished upload."

    var declaration: JSONField {
        switch self {
        case .session: .always(.string, "the session")
        case .device: .always(.string, "the name of the device that began it")
        case .key: .always(.string, "the object's key in the store")
        case .size: .only("it is no stream", .integer, "bytes of the file")
        case .parts: .always(.integer, "stored parts")
        case .stored: .always(.integer, "bytes of the stored parts")
        case .age: .only("the store tells it", .seconds, "the time since the newest part")
        case .isUndecided:
            .always(.boolean, "whether uploads of this key may belong to another program; they are not removed")
        }
    }
}

/// An upload that was removed.
enum RemovedFields: String, JSONFields {
    case session, device, key, parts, stored

    static let event = "removed"
    static let meaning = "An unfinished upload was removed."

    var declaration: JSONField {
        switch self {
        case .session: .always(.string, "the session")
        case .device: .always(.string, "the name of the device that began it")
        case .key: .always(.string, "the object's key in the store")
        case .parts: .always(.integer, "parts that were removed")
        case .stored: .always(.integer, "bytes of these parts")
        }
    }
}

/// A failure with one upload.
enum UploadFailureFields: String, JSONFields {
    case session, device, key, record, message

    static let event = "failed"
    static let meaning = "An upload could not be read, looked up or removed. Standard error names it, too."

    var declaration: JSONField {
        let known = "the record of the upload can be read"
        return switch self {
        case .session: .only(known, .string, "the session")
        case .device: .only(known, .string, "the name of the device that began it")
        case .key: .only(known, .string, "the object's key in the store")
        case .record: .only("the record cannot be read", .string, "the name of the record")
        case .message: .always(.string, "the cause, for people")
        }
    }
}

/// The sums of uploads list.
enum UploadSummaryFields: String, JSONFields {
    case uploads, stored
    case oldest = "oldest_seconds"
    case failed

    static let event = "summary"
    static let meaning = "The sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .uploads: .always(.integer, "unfinished uploads")
        case .stored: .always(.integer, "bytes of their stored parts")
        case .oldest: .always(.seconds, "the age of the oldest; 0 if there is none")
        case .failed: .always(.integer, "uploads that could not be read or looked up")
        }
    }
}

/// The sums of uploads clean.
enum CleaningSummaryFields: String, JSONFields {
    case removed
    case removedBytes = "removed_bytes"
    case kept
    case removedProbes = "removed_probes"
    case failed

    static let event = "summary"
    static let meaning = "The sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .removed: .always(.integer, "uploads that were removed")
        case .removedBytes: .always(.integer, "bytes of their parts")
        case .kept: .always(.integer, "uploads that stay")
        case .removedProbes: .always(.integer, "leftovers of interrupted start-up tests that were removed")
        case .failed: .always(.integer, "failures")
        }
    }
}

/// The result of reading an object back.
enum VerifiedFields: String, JSONFields {
    case key, verdict, size, sha256, evidence, found

    static let event = "verified"
    static let meaning = "The result of reading the object back."

    static let whole = "whole"
    static let damaged = "damaged"
    static let unknown = "unknown"
    static let missing = "missing"

    var declaration: JSONField {
        let exists = "there is an object"
        return switch self {
        case .key: .always(.string, "the object's key in the store")
        case .verdict:
            .always(
                .word([Self.whole, Self.damaged, Self.unknown, Self.missing]),
                "`unknown` if the store keeps nothing to compare the object with")
        case .size: .only(exists, .integer, "bytes that were read")
        case .sha256: .only(exists, .string, "their SHA-256")
        case .evidence: .only("the store keeps some", .string, "what the store keeps, for people")
        case .found: .only("the object is damaged", .string, "what the bytes give, for people")
        }
    }
}

extension UploadReport.Entry {
    /// The entry as a line of JSON.
    var json: String {
        switch self {
        case .upload(let upload, let age):
            JSONObject<UploadFields>([
                .session: .string("\(upload.session)"), .device: .string(upload.device), .key: .string(upload.key),
                .size: upload.size.map { .count($0) }, .parts: .count(upload.partCount),
                .stored: .count(upload.storedBytes), .age: age.map { .seconds($0) },
                .isUndecided: .boolean(upload.isUndecided),
            ]).line
        case .removed(let upload):
            JSONObject<RemovedFields>([
                .session: .string("\(upload.session)"), .device: .string(upload.device), .key: .string(upload.key),
                .parts: .count(upload.partCount), .stored: .count(upload.storedBytes),
            ]).line
        case .failed(let record, let name, let message):
            JSONObject<UploadFailureFields>([
                .session: record.map { .string("\($0.session)") }, .device: record.map { .string($0.device) },
                .key: record.map { .string($0.key) }, .record: name.map { .string($0) },
                .message: .string(message),
            ]).line
        case .listed(let count, let bytes, let oldest, let failed):
            JSONObject<UploadSummaryFields>([
                .uploads: .count(count), .stored: .count(bytes), .oldest: .seconds(oldest), .failed: .count(failed),
            ]).line
        case .cleaned(let sums, let failed):
            JSONObject<CleaningSummaryFields>([
                .removed: .count(sums.removedCount), .removedBytes: .count(sums.removedBytes),
                .kept: .count(sums.keptCount), .removedProbes: .count(sums.probeCount), .failed: .count(failed),
            ]).line
        }
    }
}

extension JSONObject<VerifiedFields> {
    init(key: String, _ verification: ObjectVerification.Result) {
        self.init([
            .key: .string(key), .sha256: verification.digest.map { .string("\($0)") },
            .size: verification.digest.map { _ in .count(verification.bytes) },
        ])
        switch verification.verdict {
        case .missing: self[.verdict] = .string(VerifiedFields.missing)
        case .unknown: self[.verdict] = .string(VerifiedFields.unknown)
        case .whole(let evidence):
            self[.verdict] = .string(VerifiedFields.whole)
            self[.evidence] = .string(evidence)
        case .damaged(let evidence, let found, _):
            self[.verdict] = .string(VerifiedFields.damaged)
            self[.evidence] = .string(evidence)
            self[.found] = .string(found)
        }
    }
}
