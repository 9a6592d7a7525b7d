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

/// What the user wants if the key holds an object.
package enum ExistingKeyPolicy: UInt8, Sendable, CaseIterable {
    /// The upload succeeds if the object has the same content. If the object has the content that the file had before
    /// it grew, the upload replaces the object. If the object has other content, the upload fails.
    case verify = 0
    /// The upload succeeds if the object has the same content, and replaces an object with other content.
    case replace = 1
    /// The upload fails if the key holds any object.
    case fail = 2

    /// The write condition of a session that begins before the agent knows what the key holds.
    package var condition: WriteCondition { self == .replace ? .any : .absent }

    /// Whether a session with this condition replaces the agent's own object, because the file has only grown since.
    func isContinuation(_ condition: WriteCondition) -> Bool {
        if self == .verify, case .matches = condition { true } else { false }
    }
}

/// A file to be uploaded, or an upload to be dropped.
package struct UploadRequest: Hashable, Sendable {
    /// What the user wants of the upload.
    package enum Purpose: Hashable, Sendable {
        /// Send the file as it is now; an unfinished session of another version is dropped.
        case push
        /// Send the version that was begun; fail if the file is another version.
        case resume
        /// Drop the unfinished upload.
        case abort
    }

    package var id: UploadID
    package var purpose: Purpose
    package var key: String
    /// The file's stamp when the shell found it; `nil` only for `abort`.
    package var stamp: FileStamp?
    package var policy: ExistingKeyPolicy
    package var partBytesWish: UInt64?
    /// The metadata that the store keeps with the object; a saved session uses its own metadata instead.
    package var metadata = SessionMetadata.none
    package var saved: SavedSession?
    /// The attempts of this upload that were fruitless so far, according to the journal (`FruitlessAttempts`).
    package var fruitlessAttempts = 0
    /// Whether the journal has a proof for this key, so that the key may hold the file already.
    package var wasStoredBefore: Bool
    /// Whether the source is a stream: read once, in order, of unknown size, with a stamp that never changes.
    package var isStream = false
    /// The object that was last stored under the key, according to the journal.
    package var proof: StoredProof?
    /// A version of the file that was given up and may still appear in the store.
    package var withdrawn: WithdrawnVersion?
    /// Whether the user wants the gateway's signed receipt.
    package var wantsReceipt = false
    /// Whether the stamp shows that the file is that of `proof`; with the same store and key, it need not be read.
    package var isUnchanged = false
    /// The gateway's signed receipt of the object of `proof`; `nil` if the journal has none.
    package var signedReceipt: StoredReceipt?
    /// Whether the stamp distinguishes the file from every later version, because it was old enough when found.
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

extension UploadRequest {
    /// The proof by which the upload ends at once, because the store has the file already; `nil` if the upload has to
    /// compare or send the file.
    ///
    /// Some uploads cannot end by the proof:
    /// - An upload of an earlier run has begun already.
    /// - With the policy *fail*, the upload has to fail because of the object.
    /// - A withdrawn version of the file may still replace the object.
    /// - The user wants a receipt that is missing, and the proof has no root digest with which to ask a gateway for it.
    ///
    /// - Parameter site: the device's store and key prefix, according to the gateway that the agent is connected to.
    func proofIfUnchanged(at site: DeviceSite) -> StoredProof? {
        guard isUnchanged, purpose == .push, policy != .fail, saved == nil, withdrawn == nil, !isStream, let proof,
            proof.size == stamp?.size, proof.store == site.store,
            proof.wholeKey?.hasSameBytes(as: site.wholeKey(key)) == true,
            !wantsReceipt || signedReceipt != nil || proof.root != nil
        else { return nil }
        return proof
    }

    /// The same request without the shortcut for an unchanged file: the upload compares or sends the file.
    var readingFile: UploadRequest {
        var request = self
        request.isUnchanged = false
        return request
    }
}
