package import TransferCommon
package import WireProtocol

// What the gateway's machine asks of the object store, one call each, so that whoever stands in for the store decides
// what happens between any two of them.

/// Names one request to the store for as long as its answer is awaited.
package struct StoreRequestID: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: StoreRequestID, right: StoreRequestID) -> Bool { left.value < right.value }
}

/// Names the bytes of one offered part on their way from a connection to the store.
package struct FlowID: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: FlowID, right: FlowID) -> Bool { left.value < right.value }
}

/// What is fixed about an object when its upload begins.
package struct ObjectLabel: Hashable, Sendable {
    package var session: SessionID
    package var partBytes: UInt64
    package var modification: ModificationTime
    /// The user's.
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

/// The bytes of one part on their way: announced by size and digest, carried by the flow.
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

/// One call to the store. Answers: `StoreAnswer`, and for any of them `failed`.
package enum StoreRequest: Hashable, Sendable {
    /// What is under the key → `object`. The object's bytes are not read.
    ///
    /// - plan: how the asker's file is cut into parts.
    case lookUpObject(key: String, plan: PartPlan)
    /// Reads an object of this size → `object` with the root digest by this part size as verified evidence. An object
    /// of another size, which has replaced the one that was looked up, is not read.
    case readObject(key: String, size: UInt64, partBytes: UInt64)
    /// The records of unfinished sessions of this key → `records`.
    case findRecords(key: String)
    /// Writes or replaces a session's record, durably → `done`.
    case writeRecord(SessionRecordFacts)
    /// → `done`, also where there is none.
    case removeRecord(key: String, session: SessionID)
    /// → `uploadCreated`.
    case createUpload(key: String, label: ObjectLabel)
    /// All parts that the store lists → `parts`.
    case listParts(key: String, upload: String)
    /// → `partStored`.
    case storePart(key: String, upload: String, part: PartNumber, bytes: PartBytes)
    /// A one-part file, whole. The flow gives its last bytes only once it is released → `objectStored`.
    case storeObject(key: String, label: ObjectLabel, bytes: PartBytes, condition: PutCondition)
    /// Exactly these parts → `objectStored`.
    case complete(key: String, upload: String, parts: [PartListEntry], size: UInt64, condition: PutCondition)
    /// → `done`, also where the upload is gone.
    case abort(key: String, upload: String)
}

/// What came of one call to the store; which case fits which request is said there.
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

/// Why a call to the store came to nothing, as far as it decides what the machine does next.
package enum StoreFailure: Hashable, Sendable {
    /// The store does not know the upload. Not success, and not yet *lost*.
    case uploadUnknown
    /// Busy or away; nothing is known to be wrong with the request. A time above zero is a pause that the store asks
    /// for.
    case unavailable(retryAfter: Duration)
    /// The request may or may not have taken effect.
    case outcomeUnknown
    case full
    case denied
    case bucketMissing
    /// The bytes are not those of the offered digest.
    case digestMismatch
    /// Completion named parts that the store does not have in that form; empty where it does not say which.
    case partsInvalid([PartNumber])
    /// The condition did not hold: the key holds an object, or another one than was named.
    case keyTaken
    /// The condition named an object, and the key holds none any more.
    case objectGone
    /// Another request for the key was under way at the same time. Nothing is known of either.
    case conflict
    case keyUnsupported(message: String)
    /// The store refuses this content, its size or the request itself, and would again.
    case refused(message: String)
    /// We gave it up ourselves.
    case cancelled
}

/// What the store says of an object.
package struct ObjectFacts: Hashable, Sendable {
    package var size: UInt64
    /// The part size that `evidence` depends on; 0 where it depends on none.
    package var partBytes: UInt64
    package var evidence: ContentEvidence
    package var etag: String
    package var version: String
    /// The session that made it, where the store keeps metadata.
    package var session: SessionID?
    /// Whether `evidence` is known to be true of the object: the store has compared the digest with the bytes, or the
    /// object was read back. Metadata are never verified.
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

/// What the store says when an object has come to be.
package struct StoreReceipt: Hashable, Sendable {
    package var evidence: ContentEvidence
    package var etag: String
    package var version: String
    /// Whether the gateway may sign that the object holds what `evidence` says (specification §9.5). A store's own
    /// answer does not say so: the session's machine knows which parts the gateway has checked.
    package var isVerified = false

    package init(evidence: ContentEvidence, etag: String, version: String) {
        self.evidence = evidence
        self.etag = etag
        self.version = version
    }
}

/// The record of an unfinished session, kept in the store where any gateway finds it (`.sluice/sessions/`).
package struct SessionRecordFacts: Hashable, Sendable {
    package var device: String
    package var session: SessionID
    /// With the whole key, prefix included.
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

    /// What the object is labelled with.
    package var label: ObjectLabel {
        ObjectLabel(
            session: session, partBytes: terms.partBytes, modification: terms.modification, metadata: terms.metadata)
    }
}
