package import TransferCommon
package import WireProtocol

// Requests of the gateway's machine to the object store. Each request is one call, so that a simulated store can
// control what happens between any two calls.

/// Identifies a request to the store until its answer arrives.
package struct StoreRequestID: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: StoreRequestID, right: StoreRequestID) -> Bool { left.value < right.value }
}

/// Identifies the flow of one offered part from a connection to the store.
package struct FlowID: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: FlowID, right: FlowID) -> Bool { left.value < right.value }
}

/// Metadata of an object that is fixed when its upload begins.
package struct ObjectLabel: Hashable, Sendable {
    package var session: SessionID
    package var partBytes: UInt64
    package var modification: ModificationTime
    /// Metadata that the user chose.
    package var metadata: SessionMetadata

    package init(
        session: SessionID, partBytes: UInt64, modification: ModificationTime, metadata: SessionMetadata = .none
    ) {
        self.session = session
        self.partBytes = partBytes
        self.modification = modification
        self.metadata = metadata
    }
}

/// The bytes of one part: size and digest as announced, and the flow that carries them.
package struct PartBytes: Hashable, Sendable {
    package var flow: FlowID
    package var size: UInt64
    package var digest: SHA256Digest
    package var md5: MD5Digest?

    package init(flow: FlowID, size: UInt64, digest: SHA256Digest, md5: MD5Digest?) {
        self.flow = flow
        self.size = size
        self.digest = digest
        self.md5 = md5
    }
}

/// One call to the store. Each case names its answer (`StoreAnswer`); any call may also be answered by `failed`.
package enum StoreRequest: Hashable, Sendable {
    /// Looks up the object under the key, without reading its bytes → `object`.
    ///
    /// - plan: the parts of the file that the object is compared with.
    case lookUpObject(key: String, plan: PartPlan)
    /// Reads an object of this size → `object`, with the root digest for this part size as verified evidence. An object
    /// of another size is not read, because it has replaced the object that was looked up.
    case readObject(key: String, size: UInt64, partBytes: UInt64)
    /// The records of unfinished sessions of this key → `records`.
    case findRecords(key: String)
    /// Writes or replaces a session's record, durably → `done`.
    case writeRecord(SessionRecordFacts)
    /// Removes a session's record → `done`, even if there is no record.
    case removeRecord(key: String, session: SessionID)
    /// Begins an upload → `uploadCreated`.
    case createUpload(key: String, label: ObjectLabel)
    /// Lists all parts of an upload → `parts`.
    case listParts(key: String, upload: String)
    /// Stores a part of an upload → `partStored`.
    case storePart(key: String, upload: String, part: PartNumber, bytes: PartBytes)
    /// Stores a whole one-part file → `objectStored`. The flow holds the last bytes back until it is released.
    case storeObject(key: String, label: ObjectLabel, bytes: PartBytes, condition: PutCondition)
    /// Completes an upload with exactly these parts → `objectStored`.
    case complete(key: String, upload: String, parts: [PartListEntry], size: UInt64, condition: PutCondition)
    /// Aborts an upload → `done`, even if the upload is gone.
    case abort(key: String, upload: String)
    /// Writes a session's record again, unchanged, if it is older than 30 seconds → `done`, even if there is no record.
    case renewRecord(key: String, session: SessionID)
}

/// The answer to a call to the store. `StoreRequest` says which case answers which request.
package enum StoreAnswer: Hashable, Sendable {
    case done
    case object(ObjectFacts?)
    case records([SessionRecordFacts])
    case uploadCreated(upload: String)
    case parts([PartListEntry])
    case partStored(etag: String)
    case objectStored(StoreReceipt)
    case failed(StoreFailure)
}

/// Why a call to the store failed, as far as the machine distinguishes the reasons.
package enum StoreFailure: Hashable, Sendable {
    /// The store does not know the upload. By itself, this shows neither that the upload was completed nor that the
    /// session is lost.
    case uploadUnknown
    /// The store is busy or unreachable; the request itself may be right. A time above zero is a pause that the store
    /// asks for.
    case unavailable(retryAfter: Duration)
    /// The request may or may not have taken effect.
    case outcomeUnknown
    case full
    case denied
    case bucketMissing
    /// The bytes do not have the offered digest.
    case digestMismatch
    /// The completion named parts that the store does not hold with that ETag. The list is empty if the store does not
    /// say which parts.
    case partsInvalid([PartNumber])
    /// The write condition did not hold: the key holds an object, or another object than the condition names.
    case keyTaken
    /// The condition named an object, and the key no longer holds one.
    case objectGone
    /// Another request for the key was under way at the same time. The outcome of both is unknown.
    case conflict
    case keyUnsupported(message: String)
    /// The store refuses this content, its size or the request itself, and would refuse it again.
    case refused(message: String)
    /// The gateway cancelled the request.
    case cancelled
}

/// The store's description of an object.
package struct ObjectFacts: Hashable, Sendable {
    package var size: UInt64
    /// The part size that `evidence` depends on; 0 if it depends on none.
    package var partBytes: UInt64
    package var evidence: ContentEvidence
    package var etag: String
    package var version: String
    /// The session that wrote the object, if the store keeps metadata.
    package var session: SessionID?
    /// Whether `evidence` is verified: the store has compared the digest with the bytes, or the gateway has read the
    /// object back. Metadata is never verified.
    package var isVerified: Bool

    package init(
        size: UInt64, partBytes: UInt64, evidence: ContentEvidence, etag: String, version: String, session: SessionID?,
        isVerified: Bool = false
    ) {
        self.size = size
        self.partBytes = partBytes
        self.evidence = evidence
        self.etag = etag
        self.version = version
        self.session = session
        self.isVerified = isVerified
    }
}

/// The store's answer after it has written an object.
package struct StoreReceipt: Hashable, Sendable {
    package var evidence: ContentEvidence
    package var etag: String
    package var version: String
    /// Whether the gateway may sign `evidence` (specification §9.5). The store's answer does not set it: the session's
    /// machine knows which parts the gateway has checked.
    package var isVerified = false

    package init(evidence: ContentEvidence, etag: String, version: String) {
        self.evidence = evidence
        self.etag = etag
        self.version = version
    }
}

/// The record of an unfinished session. It lies in the store (`.sluice/sessions/`), where any gateway finds it.
package struct SessionRecordFacts: Hashable, Sendable {
    package var device: String
    package var session: SessionID
    /// The terms of the session. Their key is the whole key, prefix included.
    package var terms: SessionTerms
    /// `nil` until the upload was created.
    package var upload: String?

    package init(device: String, session: SessionID, terms: SessionTerms, upload: String?) {
        self.device = device
        self.session = session
        self.terms = terms
        self.upload = upload
    }

    package var key: String { terms.key }

    /// The label of the object.
    package var label: ObjectLabel {
        ObjectLabel(
            session: session, partBytes: terms.partBytes, modification: terms.modification, metadata: terms.metadata)
    }
}
