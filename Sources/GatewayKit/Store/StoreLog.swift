package import Logging
import ObjectStore
import Synchronization
import SystemSupport
import TransferCommon
package import TransferCore

/// Logs requests to the store that have failed, and that they succeed again.
package final class StoreLog: Sendable {
    private let logger: Logger
    private let clock = MonotonicClock()
    private let health = Mutex(StoreHealth())

    package init(_ logger: Logger) {
        self.logger = logger
    }

    /// Logs what the answer to a request tells about the store.
    ///
    /// - Parameter device: name of the device that caused the request; `nil` if it may no longer use the site. It is
    ///   looked up for failures only.
    package func answered(_ request: StoreRequest, _ answer: StoreAnswer, device: @autoclosure () -> String?) {
        if case .failed(let error) = answer {
            failed(request, error, device: device())
        } else {
            succeeded(request)
        }
    }

    /// Logs that requests of this kind succeed again, if the log says that they fail.
    private func succeeded(_ request: StoreRequest) {
        guard let recovery = health.withLock({ [clock] in $0.succeeded(request.name, now: clock.now) }) else { return }
        logger.warning(
            "The store carries out these requests again",
            metadata: [
                "store.request": "\(request.name)", "store.failures": "\(recovery.failures)",
                "store.failing_seconds": "\(recovery.lasted.components.seconds)",
            ])
    }

    /// Logs a failed request, unless it is like one that was logged less than a minute ago.
    private func failed(_ request: StoreRequest, _ error: StoreError, device: String?) {
        guard error.reason != .cancelled, error.reason != .bodyFailed else { return }
        guard error.isFailureOfStore else {
            guard logger.logLevel <= .info else { return }
            let metadata = Self.metadata(request, error, device)
            return logger.info("The store did not carry out a request", metadata: metadata)
        }
        let facts = error.facts
        let sort = StoreHealth.Sort(
            reason: error.shortDescription, status: facts?.status, code: facts?.code ?? error.fileCode)
        guard case .write(let repeated) = health.withLock({ $0.failed(request.name, sort, now: clock.now) }) else {
            return
        }
        var metadata = Self.metadata(request, error, device)
        if repeated > 0 { metadata["store.repeated"] = "\(repeated)" }
        logger.warning("A request to the store failed", metadata: metadata)
    }

    private static func metadata(_ request: StoreRequest, _ error: StoreError, _ device: String?) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "store.request": "\(request.name)", "store.error": "\(error.shortDescription)",
            "store.reason": "\(error.sentence)", "key": "\(LogValue.of(request.key))",
            "next": "\(request.next(after: error))",
        ]
        if let device { metadata["device"] = "\(device)" }
        if let detail = error.detail { metadata["store.detail"] = "\(detail)" }
        if let cause = error.fileCause { metadata["store.detail"] = "\(cause)" }
        if let facts = error.facts {
            metadata["store.operation"] = "\(facts.operation)"
            if let status = facts.status { metadata["store.status"] = "\(status)" }
            if !facts.code.isEmpty { metadata["store.code"] = "\(facts.code)" }
            if !facts.requestID.isEmpty { metadata["store.request_id"] = "\(facts.requestID)" }
            metadata["store.attempts"] = "\(facts.attempts)"
        }
        return metadata
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

    /// The failed call on a file, if the store is a directory.
    fileprivate var fileCause: FileError? {
        var next = cause
        while let error = next {
            if let error = error as? FileError { return error }
            next = (error as? StoreError)?.cause
        }
        return nil
    }

    /// What tells failures of a directory apart: the number of the system's error.
    fileprivate var fileCode: String { fileCause?.code.map(String.init) ?? "" }
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

    fileprivate var key: String {
        switch self {
        case .lookUpObject(let key, _), .readObject(let key, _, _), .findRecords(let key), .removeRecord(let key, _),
            .createUpload(let key, _), .listParts(let key, _), .storePart(let key, _, _, _),
            .storeObject(let key, _, _, _), .complete(let key, _, _, _, _), .abort(let key, _),
            .renewRecord(let key, _):
            key
        case .writeRecord(let record): record.key
        }
    }

    /// What happens because of the failure, for the operator.
    fileprivate func next(after error: StoreError) -> String {
        switch self {
        case .removeRecord, .renewRecord: "nothing: the record stays as it is until unfinished uploads are cleaned"
        case .abort: "the upload stays until unfinished uploads are cleaned, or the agent aborts it again"
        default:
            switch error.reason {
            case .denied, .bucketMissing, .unsupported, .tooLarge, .keyUnsupported:
                "what the agent asked for ends, and the agent says why"
            case .full: "the agent waits until the store has room"
            case .outcomeUnknown: "the gateway looks whether the store has carried it out"
            default: "the gateway or the agent tries again"
            }
        }
    }
}
