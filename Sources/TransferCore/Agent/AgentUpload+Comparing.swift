import TransferCommon
import WireProtocol

// The key holds an object that the session may not replace, or that may be the file already (specification §6.3). The
// file is read, and its content decides.

extension AgentUpload {
    /// A session of an earlier run, and the file that it was of.
    struct EarlierSession: Hashable {
        var session: SessionID
        var inode: UInt64
    }

    struct Comparison: Hashable {
        /// What the file is compared for.
        enum Question: Hashable {
            /// Is the object this file?
            case isSame
            /// Is the object what this file was before it grew?
            case isBeginning
        }

        var exists: SessionExists
        var question: Question
        /// What the file's bytes must give, in parts of this size.
        var expected: ContentEvidence
        var partBytes: UInt64
    }

    mutating func received(_ exists: SessionExists, stage: Stage, _ context: inout AgentContext) {
        switch phase {
        case .opening, .resuming, .transferring, .rechecking, .completing: break
        default: return  // It was not asked for: of an older version, or after the end.
        }
        if isDropping { return end(.dropped, &context) }
        context.progressAt = context.now
        guard policy != .fail else {
            return end(.failed(UploadFailure(.keyTaken, "the key holds an object already")), &context)
        }
        compare(with: exists, stage: stage, &context)
    }

    /// Reads the file, to see whether the object is what the file is, or was.
    ///
    /// - Parameter isOther: it is known already that the object is neither.
    mutating func compare(
        with exists: SessionExists, stage: Stage, isOther: Bool = false, _ context: inout AgentContext
    ) {
        // Only at an opening is nothing lost; later the agent must not do the same again without a pause.
        if stage != .opening { failures += 1 }
        forgetParts(&context)
        leaveLinks(&context)
        stored.removeAll()
        bytesResumed = 0
        queue = PartQueue()
        guard !request.isStream else {
            let message = "the key holds an object already, with which a stream cannot be compared"
            return end(.failed(UploadFailure(.keyTaken, message)), &context)
        }
        guard !isOther, let comparison = comparison(with: exists) else {
            return contentDiffers(exists, isKnown: isOther, &context)
        }
        phase = .comparing(comparison)
        context.actions.append(.report(id, .comparing))
        context.actions.append(
            .computeEvidence(id, bytes: exists.size, partBytes: comparison.partBytes, like: comparison.expected))
    }

    /// What is worth reading the file for; `nil` where nothing is.
    private func comparison(with exists: SessionExists) -> Comparison? {
        guard let fileBytes, exists.size <= fileBytes else { return nil }
        let isSmaller = exists.size < fileBytes
        var comparison = Comparison(
            exists: exists, question: isSmaller ? .isBeginning : .isSame, expected: exists.evidence,
            partBytes: exists.partBytes > 0 ? exists.partBytes : max(exists.size, 1))
        if isSmaller {
            guard policy == .verify, isOwn(exists) else { return nil }
            if let proof = request.proof, proof.session == exists.session, let root = proof.root {
                comparison.expected = .root(root)
                comparison.partBytes = max(proof.partBytes, 1)
            }
        }
        return comparison.expected == .none ? nil : comparison
    }

    /// Whether this agent wrote the object, or found it to be its file, while the file was the one that is there now.
    private func isOwn(_ exists: SessionExists) -> Bool {
        guard let session = exists.session else { return false }
        if let proof = request.proof, proof.session == session {
            return proof.size == exists.size && proof.stamp.inode == stamp?.inode
        }
        // The session was completed, and the agent's process ended before its journal had the proof.
        return earlierSession.map { $0.session == session && $0.inode == stamp?.inode } ?? false
    }

    /// Called by the agent when the shell has read the file.
    mutating func evidenceComputed(_ reading: EvidenceReading, _ context: inout AgentContext) {
        guard case .comparing(let comparison) = phase, let stamp else { return }
        switch reading {
        case .computed(let evidence, let later):
            guard stamp.difference(whileReading: later) != .changed else {
                return end(.failed(UploadFailure(.changed, "the file changed while it was being read")), &context)
            }
            let isEqual = evidence == comparison.expected
            switch comparison.question {
            case .isSame where isEqual: contentAgrees(comparison.exists, evidence, &context)
            case .isBeginning where isEqual: replace(comparison.exists, &context)
            case .isSame, .isBeginning: contentDiffers(comparison.exists, isKnown: true, &context)
            }
        case .failed(let failure):
            end(.failed(failure), &context)
        }
    }

    private mutating func contentAgrees(
        _ exists: SessionExists, _ evidence: ContentEvidence, _ context: inout AgentContext
    ) {
        bytesResumed = exists.size
        var root: SHA256Digest?
        switch evidence {
        case .root(let digest): root = digest
        case .wholeDigest(let digest): root = context.cryptography.rootDigest(of: [digest])
        case .compositeMD5, .none: break
        }
        // An object with the same content that another device wrote stays that device's.
        let own = [session, earlierSession?.session, request.proof?.session]
        let writer = exists.session.flatMap { own.contains($0) ? $0 : nil }
        var receipt = UploadReceipt(
            size: exists.size, partBytes: exists.partBytes, root: root, evidence: evidence, etag: exists.etag,
            version: exists.version, session: writer, stamp: stamp)
        // The digest of the whole depends on no part size, and its root digest on one that the whole fits.
        if root != nil, receipt.partBytes == 0 { receipt.partBytes = max(exists.size, 1) }
        receipt.site = site
        receipt.stampCounts = stampCounts
        receipt.signed = request.wantsReceipt ? .missing : .notAskedFor
        end(.stored(receipt, wasThere: true), &context)
    }

    private mutating func contentDiffers(
        _ exists: SessionExists, isKnown: Bool, _ context: inout AgentContext
    ) {
        guard policy != .replace else { return replace(exists, &context) }
        let message =
            if exists.size != fileBytes {
                "the key holds another object, of \(exists.size) bytes"
            } else if isKnown {
                "the key holds other content of the same size"
            } else {
                "the key holds an object of the same size, and the store keeps nothing to compare it by"
            }
        end(.failed(UploadFailure(.keyTaken, message)), &context)
    }

    /// A new session replaces exactly the object that was shown, where the store tells which one that is.
    private mutating func replace(_ exists: SessionExists, _ context: inout AgentContext) {
        startOver(&context)
        condition = exists.session.map { .matches($0) } ?? policy.condition
        isSettled = true
        // An object that is another one each time must not be read again without a pause.
        let delay = failures > 0 ? context.retryDelay(afterFailures: failures) : .zero
        phase = .waiting(.open, until: context.now + delay)
    }

    // MARK: What the user's word allows

    /// How the file differs from the one that the session is of. That a file only grew was found of the file with its
    /// stamp, change time included: once it is touched, nothing tells that its beginning is still the same.
    func difference(whileReading later: FileStamp) -> FileStamp.Difference {
        guard let difference = stamp?.difference(whileReading: later) else { return .changed }
        return difference == .touched && policy.isContinuation(condition) ? .changed : difference
    }

    /// Whether the user's word of this run allows a saved session's terms: its write condition, and its metadata, which
    /// are fixed for the life of a session.
    func allows(_ saved: SavedSession, _ difference: FileStamp.Difference) -> Bool {
        guard request.purpose == .push else {
            return !saved.policy.isContinuation(saved.condition) || difference == .none
        }
        guard saved.metadata == request.metadata else { return false }
        switch (policy, saved.condition) {
        case (.replace, .absent): return false
        case (.replace, _), (_, .absent): return true
        // The file's earlier object may be replaced for as long as the file is the one that was found to have grown.
        case (.verify, .matches): return saved.policy == .verify && difference == .none
        case (.verify, .any), (.fail, _): return false
        }
    }

    /// The saved session would replace an object that the user does not want replaced, or the reverse, or has other
    /// metadata.
    mutating func abandonSaved(_ difference: FileStamp.Difference, _ context: inout AgentContext) {
        guard request.purpose == .push else {
            let message = "the file has changed since it was found to have only grown: push it again"
            return end(.failed(UploadFailure(.wrongFile, message)), &context)
        }
        leaveSavedSession(isOtherVersion: difference != .none, &context)
    }
}
