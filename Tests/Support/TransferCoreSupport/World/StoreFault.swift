package import TransferCommon
package import TransferCore

/// The kinds of requests to a store.
package enum StoreRequestKind: String, CaseIterable, Sendable {
    case lookUpObject, findRecords, writeRecord, removeRecord, createUpload, listParts, storePart, storeObject,
        complete,
        abort, readObject, renewRecord
}

/// What goes wrong with one request to the store.
package enum StoreFault: Equatable, Sendable {
    /// The request has no effect, and the gateway gets this error.
    case fails(StoreError)
    /// The request takes effect, and the gateway gets this error.
    case failsAfterEffect(StoreError)
    case delayed(Duration)
    /// The request takes effect later than usual by `effect`, and the answer then comes later than usual by `answer`.
    case slow(effect: Duration, answer: Duration)
    /// The completion removes the upload at once; the object appears after this time.
    case completesInSteps(Duration)
    /// The listing lacks the parts whose bit is set in the mask; bit 0 is part 1.
    case listsWithout(mask: UInt64)
    /// If this request has a condition, the store answers that a conflicting request for the key is under way. With
    /// `landsAfter`, the conflicting request is an earlier copy of this one, and takes effect after that time.
    case conflicts(landsAfter: Duration?)
    /// The store reports that the completion names missing parts.
    case deniesParts
    /// The upload is gone when the request arrives.
    case uploadVanishes
    /// The listing is empty, even if the upload has parts.
    case listsNothing
    /// The store reports a successful abort. The last part was in flight, and arrives after the abort.
    case leavesPart
}

extension StoreRequest {
    /// The kind of the request.
    package var kind: StoreRequestKind {
        switch self {
        case .lookUpObject: .lookUpObject
        case .readObject: .readObject
        case .findRecords: .findRecords
        case .writeRecord: .writeRecord
        case .removeRecord: .removeRecord
        case .createUpload: .createUpload
        case .listParts: .listParts
        case .storePart: .storePart
        case .storeObject: .storeObject
        case .complete: .complete
        case .abort: .abort
        case .renewRecord: .renewRecord
        }
    }

    /// The request's payload, if it has one.
    var bytes: PartBytes? {
        switch self {
        case .storePart(_, _, _, let bytes), .storeObject(_, _, let bytes, _): bytes
        default: nil
        }
    }

    /// The condition of a request that writes an object.
    package var condition: PutCondition? {
        switch self {
        case .storeObject(_, _, _, let condition), .complete(_, _, _, _, let condition): condition
        default: nil
        }
    }

    package var upload: String? {
        switch self {
        case .listParts(_, let upload), .storePart(_, let upload, _, _), .complete(_, let upload, _, _, _),
            .abort(_, let upload):
            upload
        default: nil
        }
    }
}
