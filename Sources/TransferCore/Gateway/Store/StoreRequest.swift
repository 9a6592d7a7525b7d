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

/// One call to the store. Each case names its answer (`StoreAnswer`); any call may be answered by `failed` instead.
package enum StoreRequest: Hashable, Sendable {
    /// Looks up the object under the key without reading it; `plan`: the parts of the file. Answer: `object`.
    case lookUpObject(key: String, plan: PartPlan)
    /// Reads an object of this size. Answer: `object`, with the root digest for this part size as verified evidence.
    /// An object of another size is not read, because it has replaced the object that was looked up.
    case readObject(key: String, size: UInt64, partBytes: UInt64)
    /// Finds the records of unfinished sessions of this key. Answer: `records`.
    case findRecords(key: String)
    /// Writes or replaces a session's record, durably. Answer: `done`.
    case writeRecord(SessionRecord)
    /// Removes a session's record. Answer: `done`, even if there is no record.
    case removeRecord(key: String, session: SessionID)
    /// Begins an upload. Answer: `uploadCreated`.
    case createUpload(key: String, metadata: ObjectMetadata)
    /// Lists all parts of an upload. Answer: `parts`.
    case listParts(key: String, upload: String)
    /// Stores a part of an upload. Answer: `partStored`.
    case storePart(key: String, upload: String, part: PartNumber, bytes: PartBytes)
    /// Stores a whole one-part file. Answer: `objectStored`. The flow holds the last bytes back until it is released.
    case storeObject(key: String, metadata: ObjectMetadata, bytes: PartBytes, condition: PutCondition)
    /// Completes an upload with exactly these parts. Answer: `objectStored`.
    case complete(key: String, upload: String, parts: [PartListEntry], size: UInt64, condition: PutCondition)
    /// Aborts an upload. Answer: `done`, even if the upload is gone.
    case abort(key: String, upload: String)
    /// Rewrites a session's record if it is older than 30 seconds. Answer: `done`, even if there is no record.
    case renewRecord(key: String, session: SessionID)
}

/// The answer to a call to the store. `StoreRequest` says which case answers which request.
package enum StoreAnswer: Hashable, Sendable {
    case done
    case object(ObjectSummary?)
    case records([SessionRecord])
    case uploadCreated(upload: String)
    case parts([PartListEntry])
    case partStored(etag: String)
    case objectStored(StoredObject)
    case failed(StoreError)
}
