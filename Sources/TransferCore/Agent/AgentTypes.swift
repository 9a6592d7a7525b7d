package import TransferCommon
package import WireProtocol

/// Names one file's way into the store for as long as the journal knows it; the number of its row there.
package struct UploadID: Hashable, Comparable, Sendable {
    package let value: Int64

    package init(_ value: Int64) {
        self.value = value
    }

    package static func < (left: UploadID, right: UploadID) -> Bool { left.value < right.value }
}

/// What tells one version of a file from another, as the file system has it.
package struct FileStamp: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var size: UInt64
    package var modification: ModificationTime
    package var change: ModificationTime

    package init(
        device: UInt64, inode: UInt64, size: UInt64, modification: ModificationTime, change: ModificationTime
    ) {
        self.device = device
        self.inode = inode
        self.size = size
        self.modification = modification
        self.change = change
    }

    /// How a later look at the file compares.
    package enum Difference: Hashable, Sendable {
        case none
        /// The same bytes as far as size goes; only digests can tell.
        case touched
        case changed
    }

    /// While a file is being read, only its change time may move (a rename, a new link, another mode): then its
    /// digests decide. Any other difference is another version.
    package func difference(whileReading later: FileStamp) -> Difference {
        guard self != later else { return .none }
        var same = later
        same.change = change
        return same == self ? .touched : .changed
    }

    /// Between two runs a file may also have been copied or restored: the same size is worth a comparison of digests.
    package func difference(betweenRuns later: FileStamp) -> Difference {
        guard self != later else { return .none }
        return size == later.size ? .touched : .changed
    }
}

/// What the user wants where the key holds an object.
package enum ExistingKeyPolicy: UInt8, Sendable, CaseIterable {
    /// The same content is success, and so is replacing what this file was before it grew. Anything else is a failure.
    case verify = 0
    /// The same content is success, other content is replaced.
    case replace = 1
    /// A failure whatever is there.
    case fail = 2

    /// The write condition of a session that begins without knowing what the key holds.
    package var condition: WriteCondition { self == .replace ? .any : .absent }

    /// Whether a session with this condition replaces the agent's own object, because the file was found to have only
    /// grown since.
    func isContinuation(_ condition: WriteCondition) -> Bool {
        if self == .verify, case .matches = condition { true } else { false }
    }
}

/// What the journal holds of a session that was begun.
package struct SavedSession: Hashable, Sendable {
    package var session: SessionID
    package var token: [UInt8]
    package var partBytes: UInt64
    /// The session's write condition, and the user's word that it follows from.
    package var condition: WriteCondition
    package var policy: ExistingKeyPolicy
    /// Terms of the session like its condition.
    package var metadata: SessionMetadata
    package var stamp: FileStamp
    package var parts: [PartListEntry]
    /// How often the store has lost this file's session before.
    package var losses: Int

    package init(
        session: SessionID, token: [UInt8], partBytes: UInt64, condition: WriteCondition = .absent,
        policy: ExistingKeyPolicy = .verify, metadata: SessionMetadata = .none, stamp: FileStamp,
        parts: [PartListEntry], losses: Int
    ) {
        self.session = session
        self.token = token
        self.partBytes = partBytes
        self.condition = condition
        self.policy = policy
        self.metadata = metadata
        self.stamp = stamp
        self.parts = parts
        self.losses = losses
    }
}

/// One file to be uploaded, or one upload to be dropped.
package struct UploadRequest: Hashable, Sendable {
    /// What the user wants of the upload.
    package enum Purpose: Hashable, Sendable {
        /// The file as it is now; an unfinished session of another version is dropped.
        case push
        /// The version that was begun, or nothing.
        case resume
        /// Drop what was begun.
        case abort
    }

    package var id: UploadID
    package var purpose: Purpose
    package var key: String
    /// The file as it was found; `nil` only for `abort`.
    package var stamp: FileStamp?
    package var policy: ExistingKeyPolicy
    package var partBytesWish: UInt64?
    /// What the store is to keep beside the object; of no use where a saved session is resumed, which has its own.
    package var metadata = SessionMetadata.none
    package var saved: SavedSession?
    /// The journal holds a receipt of this key: it is worth asking before anything is sent.
    package var wasStoredBefore: Bool
    /// It is read once, in order, and ends where it ends. Its stamp has no size and never changes.
    package var isStream = false
    /// What the journal knows of the object that was last stored under the key.
    package var proof: StoredProof?
    /// A version of the key's file that was given up and may still appear in the store.
    package var withdrawn: WithdrawnVersion?
    /// The user wants the gateway's signed receipt.
    package var wantsReceipt = false
    /// The file's stamp tells it from every later version: it was old enough when it was found.
    package var stampCounts = false

    package init(
        id: UploadID, purpose: Purpose, key: String, stamp: FileStamp?, policy: ExistingKeyPolicy,
        partBytesWish: UInt64?, saved: SavedSession?, wasStoredBefore: Bool
    ) {
        self.id = id
        self.purpose = purpose
        self.key = key
        self.stamp = stamp
        self.policy = policy
        self.partBytesWish = partBytesWish
        self.saved = saved
        self.wasStoredBefore = wasStoredBefore
    }
}

/// What the journal knows of the object that was last stored or found under a key, and of the file that it equals.
package struct StoredProof: Hashable, Sendable {
    /// This agent's session that wrote the object; `nil` where another writer did, or the store does not tell.
    package var session: SessionID?
    /// The file as it was read.
    package var stamp: FileStamp
    package var partBytes: UInt64
    /// The digest over the parts' digests; `nil` where the object was compared by other evidence.
    package var root: SHA256Digest?
    /// Bytes of the object.
    package var size: UInt64
    /// The object as the store named it.
    package var etag = ""
    package var version = ""
    /// The store in which it lies, and its whole key there; `nil` where that was not written down yet.
    package var store: StoreIdentity?
    package var wholeKey: String?
    /// The file's stamp tells it from every later version.
    package var stampCounts = false

    package init(session: SessionID?, stamp: FileStamp, partBytes: UInt64, root: SHA256Digest?, size: UInt64) {
        self.session = session
        self.stamp = stamp
        self.partBytes = partBytes
        self.root = root
        self.size = size
    }
}

/// A version of a one-part file whose upload was given up after COMPLETE may have been sent: its object may appear
/// until the put limit has passed (specification §9.2).
package struct WithdrawnVersion: Hashable, Sendable {
    package var stamp: FileStamp
    /// How long ago it was given up, at least.
    package var age: Duration

    package init(stamp: FileStamp, age: Duration) {
        self.stamp = stamp
        self.age = age
    }
}

/// Proof of a finished upload, for the journal and the user.
package struct UploadReceipt: Hashable, Sendable {
    package var size: UInt64
    package var partBytes: UInt64
    /// `nil` where the file was found there by other evidence.
    package var root: SHA256Digest?
    package var evidence: ContentEvidence
    package var etag: String
    package var version: String
    /// This agent's session that wrote the object; `nil` where another writer did, or the store does not tell.
    package var session: SessionID?
    /// The file as it was read; `nil` for a stream.
    package var stamp: FileStamp?
    /// Its stamp tells it from every later version.
    package var stampCounts = false
    /// Where the object lies, by the gateway that told of it.
    package var site: DeviceSite?
    /// The gateway's signed receipt, where the user wants one.
    package var signed = ReceiptOutcome.notAskedFor

    package init(
        size: UInt64, partBytes: UInt64, root: SHA256Digest?, evidence: ContentEvidence, etag: String, version: String,
        session: SessionID? = nil, stamp: FileStamp? = nil
    ) {
        self.size = size
        self.partBytes = partBytes
        self.root = root
        self.evidence = evidence
        self.etag = etag
        self.version = version
        self.session = session
        self.stamp = stamp
    }
}

/// Why an upload came to nothing, this time or for good.
package struct UploadFailure: Error, Hashable, Sendable {
    /// One word for each cause; programs read it in `--json`.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case changed, wrongFile, missing, unreadable
        /// A process writes the file: it is not sent yet.
        case stillWritten
        /// What produced the bytes failed, or gave more or fewer than it should: nothing is stored.
        case incomplete
        case keyInvalid, keyTaken, keyUnsupported
        case sizeUnsupported, partSizeUnsupported, metadataInvalid
        case storeRefuses, bucketMissing, contentRefused
        case unreachable, storeUnavailable, storeFull, busy, fenced, stopped, journalFull
        /// The gateway has a defect, or gives a reason that this agent does not know.
        case gatewayFailed
        case sessionLost, outcomeUnknown, superseded
        case versionUnsupported, notAuthorised, gatewayUntrusted, protocolViolation
    }

    package var kind: Kind
    /// A sentence, or empty where the kind says it all.
    package var message: String

    package init(_ kind: Kind, _ message: String = "") {
        self.kind = kind
        self.message = message
    }

    /// Whether the upload stays in the journal to be gone on with.
    package var isKept: Bool {
        switch kind {
        case .changed, .wrongFile, .stillWritten, .missing, .unreadable, .unreachable, .storeUnavailable, .storeFull,
            .busy, .gatewayFailed, .fenced, .stopped, .journalFull, .storeRefuses, .bucketMissing, .versionUnsupported,
            .notAuthorised, .gatewayUntrusted, .protocolViolation, .outcomeUnknown:
            true
        case .keyInvalid, .keyTaken, .keyUnsupported, .sizeUnsupported, .partSizeUnsupported, .metadataInvalid,
            .contentRefused, .incomplete, .sessionLost, .superseded:
            false
        }
    }
}

/// How an upload ended in this run.
package enum UploadOutcome: Hashable, Sendable {
    case stored(UploadReceipt, wasThere: Bool)
    case dropped
    case failed(UploadFailure)
}

/// One change to the journal. Each is one row's worth; the shell may join several in one transaction, in order.
package enum JournalWrite: Hashable, Sendable {
    /// A session is about to be opened, or adopted. Must be durable before the gateway hears of it.
    case began(UploadID, SavedSession)
    case token(UploadID, [UInt8])
    case stored(UploadID, PartListEntry)
    /// Parts that the store turned out to hold in another form.
    case unstored(UploadID, [PartNumber])
    case restamped(UploadID, FileStamp)
    /// The session is of no more use, and the next one begins anew (specification §8.5).
    case lost(UploadID, losses: Int)
    /// The upload is to be dropped, whatever happens in between.
    case dropping(UploadID)
    /// The row is about to go, and the version of the file that it names may still appear in the store.
    case mayStillAppear(UploadID)
    case finished(UploadID, UploadOutcome)
    /// Where this device's objects lie is another place than the journal knows.
    case site(DeviceSite)
    /// What a gateway has signed, apart from the end of an upload.
    case receipt(StoredReceipt)
}

/// Names a journal write for as long as it is not durable.
package struct JournalSequence: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: JournalSequence, right: JournalSequence) -> Bool { left.value < right.value }
}

/// What came of reading a part.
package enum PartReading: Hashable, Sendable {
    /// - stamp: the file as it was right after the last byte was read.
    case read(digest: SHA256Digest, md5: MD5Digest?, stamp: FileStamp)
    /// - bytes: fewer than were asked for only where the stream ends.
    /// - isLast: nothing follows.
    case readOfStream(digest: SHA256Digest, md5: MD5Digest?, bytes: UInt64, isLast: Bool)
    /// The file ends before the part does.
    case truncated
    case failed(UploadFailure)
}

/// What came of reading a whole file for comparison.
package enum EvidenceReading: Hashable, Sendable {
    case computed(ContentEvidence, stamp: FileStamp)
    case failed(UploadFailure)
}

/// What the agent's machine wants done. The shell does these in order.
package enum AgentAction: Hashable, Sendable {
    /// Connect to a gateway; answered by `connected` or `connectionLost`.
    case connect(ConnectionID)
    case send(ConnectionID, Slot, Frame)
    /// Read the bytes if they are not held, compress them if it pays, and send them as one PART DATA frame. Chunks of
    /// one connection go in order. Answered by `chunkEncoded`, then `chunkSent` or `chunkFailed`.
    case sendChunk(Chunk)
    case close(ConnectionID)
    /// Read and hash a part. Answered by `partRead`. With `keep`, its bytes will be asked for soon.
    case readPart(UploadID, PartNumber, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool)
    /// The part's bytes are needed no more.
    case releasePart(UploadID, PartNumber)
    /// Read so many bytes from the file's start and compute evidence of this kind. Answered by `evidenceComputed`.
    case computeEvidence(UploadID, bytes: UInt64, partBytes: UInt64, like: ContentEvidence)
    /// Look at the file once more. Answered by `fileChecked`.
    case checkFile(UploadID)
    /// Answered by `journalCommitted` once durable; transactions are committed in order.
    case journal(JournalSequence, JournalWrite)
    case report(UploadID, AgentReport)
    /// Make these the pinned keys of the gateway, durably, and for connections from now on. Answered by `pinsKept`.
    case keepPins([SHA256Digest])
    /// The upload has ended in this run, with these figures; its file can be closed.
    case finish(UploadID, UploadOutcome, UploadProgress)
    /// A gateway was asked, or could not be; the file can be closed.
    case answered(UploadID, ProofOutcome)
}

/// What is worth telling the user while an upload goes on.
package enum AgentReport: Hashable, Sendable {
    case opened(SessionID, resumedBytes: UInt64)
    case partProgress(PartNumber, sent: UInt64, size: UInt64, isStored: Bool)
    /// The same file is being compared with the object that is there.
    case comparing
    case adopted(SessionID)
    case lost
    /// Nothing is sent for so long: an earlier version of the file may still appear under the key.
    case waitingForEarlierVersion(Duration)
    /// Waiting because of this; tried again by itself.
    case waiting(ErrorCode, message: String)
    /// A receipt came and is not kept.
    case receiptRefused(ReceiptRefusal)
}
