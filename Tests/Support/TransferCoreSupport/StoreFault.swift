package import TransferCommon
package import TransferCore

/// The kinds of request that a store is asked.
package enum StoreRequestKind: String, CaseIterable, Sendable {
    case lookUpObject, findRecords, writeRecord, removeRecord, createUpload, listParts, storePart, storeObject,
        complete,
        abort, readObject
}

/// What goes wrong with one request.
package enum StoreFault: Equatable, Sendable {
    /// Nothing happens but this answer.
    case fails(StoreFailure)
    /// It happens, and this is answered.
    case failsAfterEffect(StoreFailure)
    case delayed(Duration)
    /// It happens so late, and the answer comes so late after it.
    case slow(effect: Duration, answer: Duration)
    /// A completion takes the upload away first, and the object appears so much later.
    case completesInSteps(Duration)
    /// The listing knows of all parts but those with a 1 in the mask, counted from part 1.
    case listsWithout(mask: UInt64)
    /// Another request for the key is said to be under way, where the request names a condition. Where a time is given
    /// that other one is this very request, sent before, which takes effect so much later.
    case conflicts(landsAfter: Duration?)
    /// Completion is said to have named parts that are not there.
    case deniesParts
    /// The upload is gone when the request arrives.
    case uploadVanishes
    /// The listing knows of nothing yet.
    case listsNothing
    /// An abort is said to be done, and the last part, which was on its way, lands after it.
    case leavesPart
}

extension StoreRequest {
    /// What kind of request it is.
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
        }
    }

    /// The bytes that the request carries, if any.
    var bytes: PartBytes? {
        switch self {
        case .storePart(_, _, _, let bytes), .storeObject(_, _, let bytes, _): bytes
        default: nil
        }
    }

    /// What the store is asked to check, for the requests that write an object.
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
