/// The error of a call to a store.
///
/// Its description is one general sentence without paths, keys or text from a server, so it may be logged and sent to
/// the device. `String(reflecting:)` adds the cause.
package struct StoreError: Error {
    /// The reasons that callers distinguish, because they act differently for each reason. The set is closed.
    package enum Reason: Hashable, Sendable {
        /// The bucket or directory is missing, or a disk is not mounted. The sessions in it may still exist.
        case bucketMissing
        /// The upload does not exist: it was completed, was aborted, or never existed. The error does not show which.
        case uploadUnknown
        /// The store refuses the gateway's credentials, or the file system refuses the gateway's user.
        case denied
        /// The store has no space left, or its quota is used up.
        case full
        /// A disk, network or server error that may pass.
        case unavailable
        /// The store asks for a pause; `retryAfter` is its length if the store gives one.
        case throttled(retryAfter: Duration?)
        /// The received bytes have another digest than the device announced.
        case digestMismatch
        /// The body has more or fewer bytes than announced.
        case sizeMismatch
        /// These parts, which the caller named, are missing in the store or differ from the stored ones.
        case partsInvalid([PartNumber])
        /// The condition was not fulfilled: the key has an object although none was allowed, or another object than the
        /// condition names.
        case keyTaken
        /// The condition was not fulfilled: it named an object, and the key no longer has one.
        case objectGone
        /// Another request for the key ran at the same time. The caller has to look up which of the two took effect.
        case conflict
        /// This store can never hold an object under this key.
        case keyUnsupported
        /// A part, object or record is larger than the store allows.
        case tooLarge
        /// The store does not support the call or condition.
        case unsupported
        /// The source of the body failed. `cause` is the error of the source.
        case bodyFailed
        /// Another caller is completing this upload now.
        case completionInProgress
        /// The call may have taken effect. Before the caller does anything else, it has to look up whether it did.
        case outcomeUnknown
        /// The calling task was cancelled.
        case cancelled
        /// Stored data or a server's answer is not valid.
        case damaged
    }

    package let reason: Reason
    /// One sentence for a person, without paths or secrets.
    package let sentence: String
    /// The underlying error. Only `String(reflecting:)` shows it.
    package let cause: (any Error)?

    /// - Parameter sentence: replaces the reason's general sentence by a more precise one.
    package init(_ reason: Reason, _ sentence: String? = nil, cause: (any Error)? = nil) {
        self.reason = reason
        self.sentence = sentence ?? reason.sentence
        self.cause = cause
    }

    /// Whether the same call may succeed later. The caller should wait first, because the store has already repeated
    /// the request where an immediate repetition is useful.
    package var isRetryable: Bool {
        switch reason {
        case .full, .unavailable, .throttled, .completionInProgress:
            true
        case .bucketMissing, .uploadUnknown, .denied, .digestMismatch, .sizeMismatch, .partsInvalid, .keyTaken,
            .objectGone, .conflict, .keyUnsupported, .tooLarge, .unsupported, .bodyFailed, .outcomeUnknown,
            .cancelled, .damaged:
            false
        }
    }

    /// The reason as one of a fixed set of words, for the labels of metrics.
    package var shortDescription: String {
        switch reason {
        case .bucketMissing: "no_such_bucket"
        case .uploadUnknown: "no_such_upload"
        case .denied: "denied"
        case .full: "full"
        case .unavailable: "unavailable"
        case .throttled: "throttled"
        case .digestMismatch: "digest_mismatch"
        case .sizeMismatch: "size_mismatch"
        case .partsInvalid: "invalid_parts"
        case .keyTaken: "already_exists"
        case .objectGone: "precondition_gone"
        case .conflict: "conflict"
        case .keyUnsupported: "key_unsupported"
        case .tooLarge: "too_large"
        case .unsupported: "unsupported"
        case .bodyFailed: "body_failed"
        case .completionInProgress: "completion_in_progress"
        case .outcomeUnknown: "outcome_unknown"
        case .cancelled: "cancelled"
        case .damaged: "damaged"
        }
    }
}

/// Two errors are equal if their reasons are: the sentence and the cause are for people.
extension StoreError: Hashable {
    package static func == (left: StoreError, right: StoreError) -> Bool { left.reason == right.reason }

    package func hash(into hasher: inout Hasher) { hasher.combine(reason) }
}

extension StoreError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String { sentence }

    package var debugDescription: String {
        guard let cause else { return "\(shortDescription): \(sentence)" }
        return "\(shortDescription): \(sentence) (\(String(reflecting: cause)))"
    }
}

extension StoreError.Reason {
    fileprivate var sentence: String {
        switch self {
        case .bucketMissing: "The store's directory or bucket is missing."
        case .uploadUnknown: "The store has no such upload."
        case .denied: "The store refuses the gateway."
        case .full: "The store is full."
        case .unavailable: "The store is not available."
        case .throttled: "The store asks for a pause."
        case .digestMismatch: "The bytes do not match the offered digest."
        case .sizeMismatch: "The number of bytes differs from the announced size."
        case .partsInvalid: "Parts are missing or differ from the ones named."
        case .keyTaken: "The key already holds an object."
        case .objectGone: "The object that was to be replaced is gone."
        case .conflict: "Another request for the key was under way."
        case .keyUnsupported: "The store cannot hold an object under this key."
        case .tooLarge: "The store does not accept this size."
        case .unsupported: "The store cannot do this."
        case .bodyFailed: "The source of the bytes failed."
        case .completionInProgress: "The upload is being completed elsewhere."
        case .outcomeUnknown: "It is not known whether the store carried out the request."
        case .cancelled: "The call was cancelled."
        case .damaged: "The store holds or returned invalid data."
        }
    }
}
