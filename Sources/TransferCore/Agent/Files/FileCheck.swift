package import TransferCommon

// Decides whether the store holds exactly the content of a file, according to the journal or to a gateway.
//
// Invariants
// - A proof in the journal makes a file *proven* only if it names the store in use and the file's key there. In
//   addition, the file must be unchanged: its content is the same or, where stamps tell versions apart, its stamp is.
// - A file whose state is *unknown* counts neither as *proven* nor as *not sent*.
//
//   the first true row decides                                  state
//   a process writes the file                                   stillWritten
//   there is no proof, and nothing was stored                   notSent
//   there is no proof, but something was stored                 unknown
//   the proof names no store, or the agent knows no store       unknown
//   the proof names another store                               otherStore
//   with the present prefix, the file has another key           otherKey
//   the file has another size                                   changed
//   the digest of what was stored is unknown                    unknown
//   the file's stamp is that of the proof, and may be trusted   proven
//   otherwise the file is read and its digest is compared       proven or changed
package enum FileCheck {
    /// The result of a check. Programs read the raw values.
    package enum State: String, CaseIterable, Sendable {
        /// Exactly this content is stored.
        case proven
        /// The file differs from what was stored.
        case changed
        /// Nothing was stored under the file's key.
        case notSent = "not_sent"
        /// The file was stored, but in another store than the one in use.
        case otherStore = "other_store"
        /// The file was stored, but its key would be another one now, because the device's prefix has changed.
        case otherKey = "other_key"
        /// A process is writing the file.
        case stillWritten = "still_written"
        /// Neither the journal nor the gateway can tell whether this content is stored.
        case unknown
        /// The gateway says that the key holds no object.
        case absent
        /// The gateway says that the key holds another object.
        case different
    }

    /// The state with its reason, a sentence for people.
    package struct Finding: Hashable, Sendable {
        package var state: State
        package var reason: String

        package init(_ state: State, _ reason: String) {
            self.state = state
            self.reason = reason
        }
    }

    /// What the journal knows of a file's key.
    package struct Record: Hashable, Sendable {
        package var proof: StoredProof?
        /// Whether an object was stored under the key, even if there is no proof of its file.
        package var wasStored: Bool
        /// Whether the journal has an unfinished upload of the key.
        package var isUnfinished: Bool

        package init(proof: StoredProof? = nil, wasStored: Bool = false, isUnfinished: Bool = false) {
            self.proof = proof
            self.wasStored = wasStored || proof != nil
            self.isUnfinished = isUnfinished
        }
    }

    /// How far a check has come.
    package enum Step: Hashable, Sendable {
        case found(Finding)
        /// The shell reads the file in parts of this size. The file is proven if its root digest equals `root`.
        case read(partBytes: UInt64, root: SHA256Digest)
    }

    /// The result as far as it is known without reading the file.
    ///
    /// - Parameters:
    ///   - key: the file's key, without the device's prefix.
    ///   - site: the device's store and key prefix now; `nil` if no gateway has stated them yet.
    ///   - trustsStamp: whether a file with the proof's stamp counts as proven without being read, if stamps tell
    ///     versions apart.
    package static func begin(
        key: String, _ record: Record, _ look: FileSettling.Look, site: DeviceSite?, trustsStamp: Bool
    ) -> Step {
        guard look.lease != .refused else {
            return .found(Finding(.stillWritten, "a process has it open for writing"))
        }
        guard let proof = record.proof else { return .found(withoutProof(record)) }
        if let finding = otherPlace(than: site, key: key, proof) { return .found(finding) }
        guard look.stamp.size == proof.size else {
            return .found(
                Finding(.changed, "it has \(look.stamp.size) bytes, and what was stored has \(proof.size)"))
        }
        guard let root = proof.root, proof.partBytes > 0 else {
            return .found(Finding(.unknown, "the journal has no SHA-256 of what was stored; \(remoteAdvice)"))
        }
        if trustsStamp, isStampOf(proof, look) {
            return .found(Finding(.proven, "its stamp is that of the file that was stored"))
        }
        return .read(partBytes: proof.partBytes, root: root)
    }

    /// The result once the file has been read.
    package static func finding(read root: SHA256Digest, expected: SHA256Digest) -> Finding {
        root == expected
            ? Finding(.proven, "its content is what was stored")
            : Finding(.changed, "its content is another one than what was stored")
    }

    /// Whether a file with the proof's stamp is the file that was stored.
    package static func isStampOf(_ proof: StoredProof, _ look: FileSettling.Look) -> Bool {
        proof.stampCounts && look.fileSystem == .stamping && look.stamp == proof.stamp
    }

    /// What a gateway's answer means for a file of this size; `nil` if the gateway was not asked, or refused.
    package static func finding(_ outcome: ProofOutcome, fileBytes: UInt64) -> Finding? {
        switch outcome {
        case .proven(.kept):
            Finding(.proven, "the gateway has looked, and signed a receipt")
        case .proven:
            Finding(.proven, "the gateway has looked")
        case .absent:
            Finding(.absent, "the key holds no object")
        case .different(let size) where size != fileBytes:
            Finding(.different, "the key holds an object of \(size) bytes")
        case .different:
            Finding(.different, "the key holds other content of the same size")
        case .unknown:
            Finding(
                .unknown, "the store keeps nothing to compare the object by; --read-back has the gateway read it")
        case .failed:
            nil
        }
    }

    private static let remoteAdvice = "check --remote asks the gateway"

    private static func withoutProof(_ record: Record) -> Finding {
        if record.wasStored {
            return Finding(.unknown, "the journal does not say of which file the object is; \(remoteAdvice)")
        }
        return record.isUnfinished
            ? Finding(.notSent, "its upload is unfinished; sluice-agent resume goes on")
            : Finding(.notSent, "nothing was stored under its key")
    }

    /// Returns `nil` if the proof names the present store and key.
    private static func otherPlace(than site: DeviceSite?, key: String, _ proof: StoredProof) -> Finding? {
        guard let store = proof.store, let wholeKey = proof.wholeKey, let site else {
            return Finding(.unknown, "the journal does not say in which store it is; \(remoteAdvice)")
        }
        guard store == site.store else {
            return Finding(.otherStore, "it was stored in another store than the one in use")
        }
        guard wholeKey.hasSameBytes(as: site.wholeKey(key)) else {
            return Finding(.otherKey, "it was stored as \(wholeKey), and now would be \(site.wholeKey(key))")
        }
        return nil
    }
}
