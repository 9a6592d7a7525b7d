import TransferCommon
import WireProtocol

// A store is another program, whose answers may be unusual: a value may be too long for a frame, or empty although an
// empty value has another meaning in a frame. Each answer is sanitised here, before any machine sees it, so that frames
// can carry all its values.

extension StoreAnswer {
    /// The answer with only those values that frames can carry. A part with an unusable ETag could not be completed
    /// later, so a listing leaves it out, and the answer that it is stored becomes a refusal.
    var sanitised: StoreAnswer {
        switch self {
        case .partStored(let etag) where !isPartETag(etag):
            .failed(.refused(message: "the store's ETag of a part is empty or too long"))
        case .uploadCreated(let upload) where upload.isEmpty:
            .failed(.refused(message: "the store's upload id is empty"))
        case .parts(let entries):
            .parts(entries.filter { isPartETag($0.etag) && $0.part.value <= WireLimits.partsMax })
        case .records(let records):
            .records(records.map(\.sanitised))
        case .object(let object):
            .object(object?.sanitised)
        case .objectStored(let object):
            .objectStored(object.sanitised)
        case .failed(let error) where error.retryAfter ?? .zero > retryAfterMax:
            .failed(.unavailable(retryAfter: retryAfterMax))
        case .done, .partStored, .uploadCreated, .failed:
            self
        }
    }
}

extension SessionRecord {
    fileprivate var sanitised: SessionRecord {
        var record = self
        if record.upload?.isEmpty == true { record.upload = nil }
        return record
    }
}

extension ObjectSummary {
    fileprivate var sanitised: ObjectSummary {
        var summary = self
        summary.evidence = evidence.sanitised
        summary.etag = short(etag)
        summary.version = short(version)
        return summary
    }
}

extension StoredObject {
    fileprivate var sanitised: StoredObject {
        StoredObject(evidence: evidence.sanitised, etag: short(etag), version: short(version))
    }
}

extension ContentEvidence {
    fileprivate var sanitised: ContentEvidence {
        guard case .compositeMD5(let etag) = self, etag.utf8.count > WireLimits.partETagBytesMax else { return self }
        return .none
    }
}

/// The longest pause that one answer of a store may ask for.
private let retryAfterMax = Duration.seconds(300)

private func isPartETag(_ etag: String) -> Bool {
    (1...WireLimits.partETagBytesMax).contains(etag.utf8.count)
}

/// Leaves out a name that is too long for a frame. No decision depends on such a name.
private func short(_ name: String) -> String {
    name.utf8.count <= WireLimits.partETagBytesMax ? name : ""
}
