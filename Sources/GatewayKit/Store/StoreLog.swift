import Logging
import ObjectStore
import Synchronization
import SystemSupport
import TransferCommon
import TransferCore

/// Logs requests to the store that have failed, with the call, the status, the code and the message of the store.
final class StoreLog: Sendable {
    private let logger: Logger
    private let clock = MonotonicClock()
    private let health = Mutex(StoreHealth())

    init(_ logger: Logger) {
        self.logger = logger
    }

    func succeeded(_ request: StoreRequest) {
        guard let count = health.withLock({ $0.succeeded(request.name) }) else { return }
        logger.notice(
            "The store carries out requests again",
            metadata: ["store.request": "\(request.name)", "store.failures": "\(count)"])
    }

    func failed(_ request: StoreRequest, _ error: StoreError) {
        guard error.reason != .cancelled, error.reason != .bodyFailed else { return }
        var metadata: Logger.Metadata = [
            "store.request": "\(request.name)", "store.error": "\(error.shortDescription)",
            "store.reason": "\(error.sentence)",
        ]
        if let detail = error.detail { metadata["store.detail"] = "\(detail)" }
        guard error.isFailureOfStore else {
            logger.info("The store did not carry out a request", metadata: metadata)
            return
        }
        guard case .write(let unwrittenCount) = health.withLock({ $0.failed(request.name, now: clock.now) }) else {
            return
        }
        if unwrittenCount > 0 { metadata["unwritten.before"] = "\(unwrittenCount)" }
        logger.warning("A request to the store failed", metadata: metadata)
    }
}

extension StoreError {
    /// Whether an operator should see the error. Other errors follow from what a device, another writer or another
    /// gateway did.
    fileprivate var isFailureOfStore: Bool {
        switch reason {
        case .bucketMissing, .denied, .full, .unavailable, .throttled, .outcomeUnknown, .damaged: true
        // `detail` is `nil` if the gateway itself, not the store, refused a key or a size that a device chose.
        case .unsupported, .tooLarge, .keyUnsupported: detail != nil
        case .uploadUnknown, .digestMismatch, .sizeMismatch, .partsInvalid, .keyTaken, .objectGone, .conflict,
            .bodyFailed, .completionInProgress, .cancelled:
            false
        }
    }
}

extension StoreRequest {
    fileprivate var name: String {
        switch self {
        case .lookUpObject: "look_up_object"
        case .readObject: "read_object"
        case .findRecords: "find_records"
        case .writeRecord: "write_record"
        case .removeRecord: "remove_record"
        case .createUpload: "create_upload"
        case .listParts: "list_parts"
        case .storePart: "store_part"
        case .storeObject: "store_object"
        case .complete: "complete_upload"
        case .abort: "abort_upload"
        case .renewRecord: "renew_record"
        }
    }
}
