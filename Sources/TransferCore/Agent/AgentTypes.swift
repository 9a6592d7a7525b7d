package import TransferCommon
package import WireProtocol

/// Names an upload for as long as the journal has it: the number of its row.
package struct UploadID: Hashable, Comparable, Sendable {
    package let value: Int64

    package init(_ value: Int64) {
        self.value = value
    }

    package static func < (left: UploadID, right: UploadID) -> Bool { left.value < right.value }
}

/// What the file system says of a file, to tell its versions apart.
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

    /// How a later look at the file differs.
    package enum Difference: Hashable, Sendable {
        case none
        /// The size is the same; only digests can show whether the bytes are.
        case touched
        case changed
    }

    /// The difference while the file is being read. If only the change time moves (by a rename, a new link, another mode),
    /// digests decide. Any other difference is another version.
    package func difference(whileReading later: FileStamp) -> Difference {
        guard self != later else { return .none }
        var same = later
        same.change = change
        return same == self ? .touched : .changed
    }

    /// The difference between two runs. The file may have been copied or restored meanwhile, so the same size is worth a
    /// comparison of digests.
    package func difference(betweenRuns later: FileStamp) -> Difference {
        guard self != later else { return .none }
        return size == later.size ? .touched : .changed
    }
}

/// What the user wants if the key holds an object.
package enum ExistingKeyPolicy: UInt8, Sendable, CaseIterable {
    /// The same content is success. An object that is what this file was before it grew is replaced. Other content is a
    /// failure.
    case verify = 0
    /// The same content is success, other content is replaced.
    case replace = 1
    /// Any object is a failure.
    case fail = 2

    /// The write condition of a session that begins before the agent knows what the key holds.
    package var condition: WriteCondition { self == .replace ? .any : .absent }

    /// Whether a session with this condition replaces the agent's own object, because the file has only grown since.
    func isContinuation(_ condition: WriteCondition) -> Bool {
        if self == .verify, case .matches = condition { true } else { false }
    }
}

/// A session that was begun, as the journal has it.
package struct SavedSession: Hashable, Sendable {
    package var session: SessionID
    package var token: [UInt8]
    package var partBytes: UInt64
    /// The session's write condition, which follows from `policy`.
    package var condition: WriteCondition
    package var policy: ExistingKeyPolicy
    /// Terms of the session like its condition.
    package var metadata: SessionMetadata
    package var stamp: FileStamp
    package var parts: [PartListEntry]
    /// How often the file's session was lost before.
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

/// A file to be uploaded, or an upload to be dropped.
package struct UploadRequest: Hashable, Sendable {
    /// What the user wants of the upload.
    package enum Purpose: Hashable, Sendable {
        /// Send the file as it is now; an unfinished session of another version is dropped.
        case push
        /// Send the version that was begun; fail if the file is another one.
        case resume
        /// Drop what was begun.
        case abort
    }

    package var id: UploadID
    package var purpose: Purpose
    package var key: String
    /// The file when the shell found it; `nil` only for `abort`.
    package var stamp: FileStamp?
    package var policy: ExistingKeyPolicy
    package var partBytesWish: UInt64?
    /// What the store keeps beside the object. A saved session has metadata of its own.
    package var metadata = SessionMetadata.none
    package var saved: SavedSession?
    /// The journal has a proof of this key, so the key may hold an object that makes sending needless.
    package var wasStoredBefore: Bool
    /// The source is read once, in order, and its size is unknown until its end. Its stamp has no size and never changes.
    package var isStream = false
    /// The object that was last stored under the key, according to the journal.
    package var proof: StoredProof?
    /// A version of the file that was given up and may still appear in the store.
    package var withdrawn: WithdrawnVersion?
    /// The user wants the gateway's signed receipt.
    package var wantsReceipt = false
    /// The file's stamp distinguishes it from every later version: the stamp was old enough when the file was found.
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

/// The object that was last stored or found under a key, and the file that it equals, according to the journal.
package struct StoredProof: Hashable, Sendable {
    /// This agent's session that wrote the object; `nil` where another writer did, or the store does not tell.
    package var session: SessionID?
    /// The file as it was read.
    package var stamp: FileStamp
    package var partBytes: UInt64
    /// The digest over the parts' digests; `nil` if the object was compared by other evidence.
    package var root: SHA256Digest?
    /// Bytes of the object.
    package var size: UInt64
    /// ETag and version of the object, by the store.
    package var etag = ""
    package var version = ""
    /// The store that holds the object, and its whole key there; `nil` if an older journal did not record them.
    package var store: StoreIdentity?
    package var wholeKey: String?
    /// The file's stamp distinguishes it from every later version.
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
    /// `nil` if the object was compared by other evidence.
    package var root: SHA256Digest?
    package var evidence: ContentEvidence
    package var etag: String
    package var version: String
    /// This agent's session that wrote the object; `nil` where another writer did, or the store does not tell.
    package var session: SessionID?
    /// The file as it was read; `nil` for a stream.
    package var stamp: FileStamp?
    /// The stamp distinguishes the file from every later version.
    package var stampCounts = false
    /// Where the object lies, by the gateway that reported it.
    package var site: DeviceSite?
    /// The gateway's signed receipt, if the user wants one.
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

/// Why an upload failed, in this run or for good.
package struct UploadFailure: Error, Hashable, Sendable {
    /// One word for each cause; programs read it in `--json`.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case changed, wrongFile, missing, unreadable
        /// A process writes the file: it is not sent yet.
        case stillWritten
        /// The source of the bytes failed, or gave more or fewer bytes than it should: nothing is stored.
        case incomplete
        case keyInvalid, keyTaken, keyUnsupported
        case sizeUnsupported, partSizeUnsupported, metadataInvalid
        case storeRefuses, bucketMissing, contentRefused
        case unreachable, storeUnavailable, storeFull, busy, fenced, stopped, journalFull
        /// The gateway has a defect, or gives a code that this agent does not know.
        case gatewayFailed
        case sessionLost, outcomeUnknown, superseded
        case versionUnsupported, notAuthorised, gatewayUntrusted, protocolViolation
    }

    package var kind: Kind
    /// A sentence; empty if the kind is enough.
    package var message: String

    package init(_ kind: Kind, _ message: String = "") {
        self.kind = kind
        self.message = message
    }

    /// Whether the upload stays in the journal, so that a later run can continue it.
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

/// One change to the journal. The shell may join several changes in one transaction, in order.
package enum JournalWrite: Hashable, Sendable {
    /// A session begins, or is adopted. The agent opens a session only once this is durable.
    case began(UploadID, SavedSession)
    case token(UploadID, [UInt8])
    case stored(UploadID, PartListEntry)
    /// Parts that the store turned out to lack.
    case unstored(UploadID, [PartNumber])
    case restamped(UploadID, FileStamp)
    /// The session cannot be used any more, and the file begins anew (specification §8.5).
    case lost(UploadID, losses: Int)
    /// The upload is to be dropped, by the next run if this one ends first.
    case dropping(UploadID)
    /// The row is about to be deleted, and the version of the file that it names may still appear in the store.
    case mayStillAppear(UploadID)
    case finished(UploadID, UploadOutcome)
    /// This device's objects lie at another place than the journal has.
    case site(DeviceSite)
    /// A receipt that a gateway has signed after its upload had ended, or for a user's question.
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

/// The result of reading a part.
package enum PartReading: Hashable, Sendable {
    /// - stamp: the file's right after the last byte was read.
    case read(digest: SHA256Digest, md5: MD5Digest?, stamp: FileStamp)
    /// - bytes: fewer than were requested only if the stream ends.
    /// - isLast: the stream has ended.
    case readOfStream(digest: SHA256Digest, md5: MD5Digest?, bytes: UInt64, isLast: Bool)
    /// The file ends before the part does.
    case truncated
    case failed(UploadFailure)
}

/// The result of reading a whole file for comparison.
package enum EvidenceReading: Hashable, Sendable {
    case computed(ContentEvidence, stamp: FileStamp)
    case failed(UploadFailure)
}

/// What the agent's machine wants the shell to do. The shell performs the actions in order.
package enum AgentAction: Hashable, Sendable {
    /// Connect to a gateway. Answered by `connected`, `connectionLost` or `rejected`.
    case connect(ConnectionID)
    case send(ConnectionID, Slot, Frame)
    /// Read the bytes if they are not held, compress them if it pays, and send them as one PART DATA frame. Chunks of
    /// one connection go in order. Answered by `chunkEncoded`, then `chunkSent` or `chunkFailed`.
    case sendChunk(Chunk)
    case close(ConnectionID)
    /// Read and hash a part. Answered by `partRead`. With `keep`, chunks of the part follow soon.
    case readPart(UploadID, PartNumber, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool)
    /// The part's bytes are not needed any more.
    case releasePart(UploadID, PartNumber)
    /// Read so many bytes from the file's start and compute evidence of this kind. Answered by `evidenceComputed`.
    case computeEvidence(UploadID, bytes: UInt64, partBytes: UInt64, like: ContentEvidence)
    /// Look at the file again. Answered by `fileChecked`.
    case checkFile(UploadID)
    /// Write to the journal, in order. Answered by `journalCommitted` once the write is durable, or by `journalFailed`.
    case journal(JournalSequence, JournalWrite)
    case report(UploadID, AgentReport)
    /// Pin these keys of the gateway durably, and for connections from now on. Answered by `pinsKept`.
    case keepPins([SHA256Digest])
    /// The upload has ended in this run, with these figures. Its file can be closed.
    case finish(UploadID, UploadOutcome, UploadProgress)
    /// The answer to a proof request. The file can be closed.
    case answered(UploadID, ProofOutcome)
}

/// News of an upload that is under way, for the user.
package enum AgentReport: Hashable, Sendable {
    case opened(SessionID, resumedBytes: UInt64)
    case partProgress(PartNumber, sent: UInt64, size: UInt64, isStored: Bool)
    /// The file is being compared with the object under the key.
    case comparing
    case adopted(SessionID)
    case lost
    /// Nothing is sent for this time, because an earlier version of the file may still appear under the key.
    case waitingForEarlierVersion(Duration)
    /// The upload waits because of this code, and tries again.
    case waiting(ErrorCode, message: String)
    /// The gateway sent a receipt that is not kept.
    case receiptRefused(ReceiptRefusal)
}
