import TransferCommon
import WireProtocol

/// The classes of calls to the store. Each has its own bound, so that calls of one class do not hold up another.
package enum StoreCallClass: Int, CaseIterable, Hashable, Sendable {
    case lookUp
    case list
    /// The gateway looks for, writes or removes a session record, or begins an upload.
    case record
    case complete
    case abort
    /// `ReadBackQueue` bounds these calls.
    case readBack
    /// `StorePace`, `StoreBreaker` and the budget bound these calls.
    case part
}

extension StoreRequest {
    /// The class of the call.
    package var callClass: StoreCallClass {
        switch self {
        case .lookUpObject: .lookUp
        case .listParts: .list
        case .findRecords, .writeRecord, .removeRecord, .renewRecord, .createUpload: .record
        case .complete: .complete
        case .abort: .abort
        case .readObject: .readBack
        case .storePart, .storeObject: .part
        }
    }
}

/// How many calls of each class may be under way at once. Further calls wait.
package struct StoreCallLimits: Hashable, Sendable {
    /// Looks at a key are short and cost the store little. Each file takes one or two.
    package var lookUps = 64
    /// Each list of an upload's parts may bring megabytes, which the gateway parses.
    package var lists = 8
    /// A call for a record takes up to three requests to the store.
    package var records = 32
    /// The store may work for minutes on one completion.
    package var completions = 32
    package var aborts = 16
    /// How many calls for records may wait; beyond this number, records are left to the store's cleaning.
    package var waitingRecordsMax = 32_768

    package init() {}

    /// The bound of a class; `nil` if its calls are bounded elsewhere, and begin at once.
    package subscript(callClass: StoreCallClass) -> Int? {
        switch callClass {
        case .lookUp: lookUps
        case .list: lists
        case .record: records
        case .complete: completions
        case .abort: aborts
        case .readBack, .part: nil
        }
    }
}
