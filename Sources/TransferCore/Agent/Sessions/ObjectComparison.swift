package import TransferCommon
package import WireProtocol

/// The comparison of the file with the object under its key (specification §6.3). The agent compares them if the
/// session may not replace the object, or if the object may be the file already. It reads the file, and the content
/// decides.
///
///     from       event                                                          to
///     comparing  the file has the content of the object                         same
///     comparing  the agent's own object, and the file begins with it            continuation
///     comparing  the file has other content                                     other
package struct ObjectComparison: Hashable, Sendable {
    /// What the file is compared for.
    package enum Question: Hashable, Sendable {
        /// Is the object this file?
        case isSame
        /// Is the object what this file was before it grew?
        case isBeginning
    }

    /// The result of the comparison.
    package enum OnEvidence: Hashable, Sendable {
        /// The object is this file.
        case same
        /// The object is what this file was before it grew, and may be replaced.
        case continuation
        case other
    }

    /// A session of an earlier run, and the file that the session uploaded.
    package struct EarlierSession: Hashable, Sendable {
        package var session: SessionID
        package var inode: UInt64

        package init(session: SessionID, inode: UInt64) {
            self.session = session
            self.inode = inode
        }
    }

    /// What the agent knows of the file that it compares.
    package struct File: Hashable, Sendable {
        package var bytes: UInt64
        package var inode: UInt64?
        package var policy: ExistingKeyPolicy
        /// What the journal knows of the object that was last stored under the key.
        package var proof: StoredProof?
        /// The session that the journal's row named when this run began.
        package var earlierSession: EarlierSession?

        package init(
            bytes: UInt64, inode: UInt64?, policy: ExistingKeyPolicy, proof: StoredProof?,
            earlierSession: EarlierSession?
        ) {
            self.bytes = bytes
            self.inode = inode
            self.policy = policy
            self.proof = proof
            self.earlierSession = earlierSession
        }

        /// Whether the file's inode is unchanged since this agent wrote the object, or found it equal to the file.
        fileprivate func isOwn(_ exists: SessionExists) -> Bool {
            guard let session = exists.session else { return false }
            if let proof, proof.session == session { return proof.size == exists.size && proof.stamp.inode == inode }
            // The journal may lack the proof, because the agent's process ended right after the session was completed.
            // So the session id in the journal counts as well.
            return earlierSession.map { $0.session == session && $0.inode == inode } ?? false
        }
    }

    package let exists: SessionExists
    package let question: Question
    /// The evidence that the file's bytes must give, in parts of `partBytes`.
    package let expected: ContentEvidence
    package let partBytes: UInt64

    /// - Returns: `nil` if the object cannot be the file or its beginning, or if the object has no evidence to compare.
    package init?(of file: File, with exists: SessionExists) {
        guard exists.size <= file.bytes else { return nil }
        let isSmaller = exists.size < file.bytes
        var expected = exists.evidence
        var partBytes = exists.partBytes > 0 ? exists.partBytes : max(exists.size, 1)
        if isSmaller {
            guard file.policy == .verify, file.isOwn(exists) else { return nil }
            if let proof = file.proof, proof.session == exists.session, let root = proof.root {
                expected = .root(root)
                partBytes = max(proof.partBytes, 1)
            }
        }
        guard expected != .none else { return nil }
        self.exists = exists
        self.question = isSmaller ? .isBeginning : .isSame
        self.expected = expected
        self.partBytes = partBytes
    }

    /// Compares the evidence of the file that the shell has read with the expected one.
    package func judge(_ evidence: ContentEvidence) -> OnEvidence {
        guard evidence == expected else { return .other }
        return question == .isSame ? .same : .continuation
    }
}

extension SessionExists {
    /// The failure of an upload whose key holds other content. `isKnown`: whether that is certain.
    func keyTaken(fileBytes: UInt64?, isKnown: Bool) -> UploadFailure {
        let message =
            if size != fileBytes {
                "the key holds another object, of \(size) bytes"
            } else if isKnown {
                "the key holds other content of the same size"
            } else {
                "the key holds an object of the same size, and the store keeps nothing to compare it by"
            }
        return UploadFailure(.keyTaken, message)
    }
}

extension ContentEvidence {
    /// Whether the object has the content of a file with these digests; `nil` if they cannot be compared.
    /// `hasPartSize`: whether `root` and the evidence use the same part size. `whole` is set for a one-part file only.
    func agrees(root: SHA256Digest?, hasPartSize: Bool, whole: SHA256Digest?) -> Bool? {
        switch self {
        case .root(let object) where hasPartSize: root.map { $0 == object }
        case .wholeDigest(let object): whole.map { $0 == object }
        case .root, .compositeMD5, .none: nil
        }
    }

    /// The root digest of the object, if the evidence gives one.
    func root(_ cryptography: any AgentCryptography) -> SHA256Digest? {
        switch self {
        case .root(let digest): digest
        case .wholeDigest(let digest): cryptography.rootDigest(of: [digest])
        case .compositeMD5, .none: nil
        }
    }
}
