package import TransferCommon
package import TransferCore
package import WireProtocol

/// The agent's journal: the durable state of each upload, which survives the agent's process. In the shipped journal an
/// upload gets its row by the write `began`. Here it has a row from the beginning, and `began` sets `saved`.
/// `JournalModelTests`, beside the shipped journal, checks that both apply writes in the same way.
package final class VirtualJournal {
    package struct Row: Equatable {
        package var id: UploadID
        package var key: String
        package var policy: ExistingKeyPolicy
        package var partBytesWish: UInt64?
        /// The session without its parts, which are in `parts`.
        package var saved: SavedSession?
        package var parts: [PartNumber: PartListEntry] = [:]
        package var isDropping = false
        /// The attempts in a row that sent data and brought no part into the store.
        package var fruitless = 0
        package var outcome: UploadOutcome?
        /// The object that was last stored under the key, and the file that was its source.
        package var proof: StoredProof?
        /// A version of the file that was given up and may still appear in the store.
        package var withdrawn: FileStamp?

        package init(id: UploadID, key: String, policy: ExistingKeyPolicy, partBytesWish: UInt64?) {
            self.id = id
            self.key = key
            self.policy = policy
            self.partBytesWish = partBytesWish
        }
    }

    package private(set) var rows: [UploadID: Row] = [:]
    /// Receipts signed by gateways, in the order in which they were kept.
    package private(set) var receipts: [StoredReceipt] = []
    /// The store, the device name and the prefix under which the device's objects lie.
    package private(set) var site: DeviceSite?

    package init() {}

    package func add(_ row: Row) { rows[row.id] = row }

    /// Loses the journal with its disk. The simulation keeps the rows, but removes from them what the agent had saved
    /// about sessions.
    package func forgetSessions() {
        for id in rows.keys {
            rows[id]?.saved = nil
            rows[id]?.parts = [:]
            rows[id]?.proof = nil
            rows[id]?.withdrawn = nil
            rows[id]?.fruitless = 0
        }
    }

    /// Makes a row unfinished again, whatever its outcome was, as if the user requested another upload of its key.
    package func reopen(_ id: UploadID) {
        rows[id]?.outcome = nil
        rows[id]?.isDropping = false
    }

    /// Sets the user's policy for a key that holds an object.
    package func setPolicy(of id: UploadID, _ policy: ExistingKeyPolicy) { rows[id]?.policy = policy }

    package func forgetOutcome(of id: UploadID) { rows[id]?.outcome = nil }

    package func apply(_ write: JournalWrite) {
        switch write {
        case .began(let id, let saved):
            rows[id]?.saved = saved
            rows[id]?.parts = [:]
            rows[id]?.withdrawn = nil
            rows[id]?.proof?.stampCounts = false
        case .token(let id, let token): rows[id]?.saved?.token = token
        case .stored(let id, let entry):
            guard rows[id]?.saved != nil else { return }
            rows[id]?.parts[entry.part] = entry
        case .unstored(let id, let parts): for part in parts { rows[id]?.parts[part] = nil }
        case .restamped(let id, let stamp): rows[id]?.saved?.stamp = stamp
        case .lost(let id, let losses):
            rows[id]?.parts = [:]
            rows[id]?.saved?.token = []
            rows[id]?.saved?.losses = losses
        case .fruitless(let id, let count): if rows[id]?.saved != nil { rows[id]?.fruitless = count }
        case .dropping(let id): if rows[id]?.saved != nil { rows[id]?.isDropping = true }
        case .mayStillAppear(let id): if let stamp = rows[id]?.saved?.stamp { rows[id]?.withdrawn = stamp }
        case .finished(let id, let outcome):
            rows[id]?.outcome = outcome
            if case .failed(let failure) = outcome, failure.isKept { return }
            if case .stored(let receipt, _) = outcome, !receipt.isUnchanged {
                let proof = rows[id].flatMap { receipt.proof(ofKey: $0.key) }
                rows[id]?.proof = proof
                if case .kept(let signed) = receipt.signed { receipts.append(signed) }
            }
            rows[id]?.saved = nil
            rows[id]?.parts = [:]
            rows[id]?.isDropping = false
            rows[id]?.fruitless = 0
        case .site(let site): self.site = site
        case .proved(let key, let receipt):
            // As in the real journal, a proof of the same content stays as it is.
            for id in rows.keys where rows[id]?.key == key && rows[id]?.proof?.root != receipt.root {
                rows[id]?.proof = receipt.proof(ofKey: key)
            }
        case .doubted(let key): for id in rows.keys where rows[id]?.key == key { rows[id]?.proof?.stampCounts = false }
        case .receipt(let receipt): receipts.append(receipt)
        }
    }

    /// Whether the row has a final outcome.
    package func isFinished(_ id: UploadID) -> Bool {
        switch rows[id]?.outcome {
        case .stored, .dropped: true
        case .failed(let failure): !failure.isKept
        case nil: false
        }
    }

    /// The request with which an agent starts a row; `nil` if the row is finished.
    package func request(for id: UploadID, stamp: FileStamp?, purpose: UploadRequest.Purpose = .push) -> UploadRequest?
    {
        guard let row = rows[id] else { return nil }
        if let outcome = row.outcome {
            guard case .failed = outcome else { return nil }
        }
        var saved = row.saved
        saved?.parts = row.parts.values.sorted { $0.part < $1.part }
        var request = UploadRequest(
            id: id, purpose: row.isDropping ? .abort : purpose, key: row.key, stamp: stamp, policy: row.policy,
            partBytesWish: row.partBytesWish, saved: saved, wasStoredBefore: row.proof != nil)
        request.proof = row.proof
        request.fruitlessAttempts = row.fruitless
        // The simulated journal has no clock, so the agent waits for the whole put limit, as it does after a reboot.
        request.withdrawn = row.withdrawn.map { WithdrawnVersion(stamp: $0, age: .zero) }
        return request
    }
}

extension UploadReceipt {
    fileprivate func proof(ofKey key: String) -> StoredProof? {
        guard let stamp else { return nil }
        var proof = StoredProof(session: session, stamp: stamp, partBytes: partBytes, root: root, size: size)
        proof.etag = etag
        proof.version = version
        proof.store = site?.store
        proof.wholeKey = site?.wholeKey(key)
        proof.stampCounts = stampCounts
        return proof
    }
}
