package import TransferCommon
import WireProtocol

/// Why a store did not do what it was asked.
///
/// The plain description is one bland sentence without paths, keys or a server's own words, fit for logs and for the
/// device. `String(reflecting:)` adds the cause.
package struct StoreError: Error {
    /// A bounded vocabulary: what the caller can tell apart and act on.
    package enum Reason: Hashable, Sendable {
        /// The bucket or directory is missing, or a disk is not mounted. Says nothing about sessions.
        case noSuchBucket
        /// Completed, aborted or never there. Not a proof of either.
        case noSuchUpload
        /// The store refuses the gateway's credentials or user.
        case denied
        /// No space or quota left.
        case full
        /// It may work later: disk error, network, server error.
        case unavailable
        /// The store asks for a pause, of this length where it says one.
        case throttled(retryAfter: Duration?)
        /// The bytes that came have another digest than was offered.
        case digestMismatch
        /// More or fewer bytes than were announced.
        case sizeMismatch
        /// These parts are missing, or are not the ones that were named.
        case invalidParts([PartNumber])
        /// The condition did not hold: the key holds an object, or another one than was named.
        case alreadyExists
        /// The condition named an object, and the key holds none any more.
        case preconditionGone
        /// Another request for the key was under way at the same time. What has become of either has to be looked at.
        case conflict
        /// This store can never hold an object under this key.
        case keyUnsupported
        /// A part, object or record is larger than the store takes.
        case tooLarge
        /// The store lacks the call or condition.
        case unsupported
        /// The body's source failed; the cause says how.
        case bodyFailed
        /// Somebody else is completing this upload just now.
        case completionInProgress
        /// It may have happened. Look before doing anything else.
        case outcomeUnknown
        /// The calling task was cancelled.
        case cancelled
        /// What is stored, or what a server answers, makes no sense.
        case damaged
    }

    package let reason: Reason
    /// One sentence for a person, without paths or secrets.
    package let sentence: String
    /// What lay beneath, for `String(reflecting:)` only.
    package let cause: (any Error)?

    /// - Parameter sentence: where the reason's own sentence can be bettered.
    package init(_ reason: Reason, _ sentence: String? = nil, cause: (any Error)? = nil) {
        self.reason = reason
        self.sentence = sentence ?? reason.sentence
        self.cause = cause
    }

    /// Whether the same call, unchanged, may succeed later. What is worth repeating at once, the store has repeated.
    package var isRetryable: Bool {
        switch reason {
        case .full, .unavailable, .throttled, .completionInProgress:
            true
        case .noSuchBucket, .noSuchUpload, .denied, .digestMismatch, .sizeMismatch, .invalidParts, .alreadyExists,
            .preconditionGone, .conflict, .keyUnsupported, .tooLarge, .unsupported, .bodyFailed, .outcomeUnknown,
            .cancelled, .damaged:
            false
        }
    }

    /// One of a few words, for metric labels.
    package var shortDescription: String {
        switch reason {
        case .noSuchBucket: "no_such_bucket"
        case .noSuchUpload: "no_such_upload"
        case .denied: "denied"
        case .full: "full"
        case .unavailable: "unavailable"
        case .throttled: "throttled"
        case .digestMismatch: "digest_mismatch"
        case .sizeMismatch: "size_mismatch"
        case .invalidParts: "invalid_parts"
        case .alreadyExists: "already_exists"
        case .preconditionGone: "precondition_gone"
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
        case .noSuchBucket: "The store's directory or bucket is missing."
        case .noSuchUpload: "The store has no such upload."
        case .denied: "The store refuses the gateway."
        case .full: "The store is full."
        case .unavailable: "The store is not available."
        case .throttled: "The store asks for a pause."
        case .digestMismatch: "The bytes do not have the digest that was offered."
        case .sizeMismatch: "The bytes are not as many as were announced."
        case .invalidParts: "Parts are missing or differ from the ones named."
        case .alreadyExists: "The key already holds an object."
        case .preconditionGone: "The object that was to be replaced is gone."
        case .conflict: "Another request for the key was under way."
        case .keyUnsupported: "The store cannot hold an object under this key."
        case .tooLarge: "The store does not take anything so large."
        case .unsupported: "The store cannot do this."
        case .bodyFailed: "The source of the bytes failed."
        case .completionInProgress: "The upload is being completed elsewhere."
        case .outcomeUnknown: "It is not known whether the store has done it."
        case .cancelled: "The call was cancelled."
        case .damaged: "What the store holds or says makes no sense."
        }
    }
}

extension ObjectKey {
    /// A key that comes from elsewhere, for a call on a store.
    package init(_ text: String) throws(StoreError) {
        do {
            try self.init(validating: text)
        } catch {
            throw StoreError(.keyUnsupported, error.description, cause: error)
        }
    }
}
