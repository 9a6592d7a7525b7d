import TransferCommon
import WireProtocol

// The key holds an object that the session may not replace, or that may be the file already (specification §6.3): the
// upload applies what `ObjectComparison` finds.

extension AgentUpload {
    mutating func received(_ exists: SessionExists, stage: Stage, _ context: inout AgentContext) {
        guard phase.concernsObject else { return }
        if lifecycle.isDropping { return end(.dropped, &context) }
        context.progressAt = context.now
        guard session.policy != .fail else {
            return end(.failed(UploadFailure(.keyTaken, "the key holds an object already")), &context)
        }
        compare(with: exists, stage: stage, &context)
    }

    /// Has the file read, to find out whether the object is the file, or what the file was before it grew.
    ///
    /// - Parameter isOther: the object is already known to be neither of the two.
    mutating func compare(
        with exists: SessionExists, stage: Stage, isOther: Bool = false, _ context: inout AgentContext
    ) {
        // A comparison in answer to SESSION OPEN costs no work that was done. A later one counts as a failure, so that
        // the agent does not repeat the same steps without a pause.
        if stage != .opening { failures += 1 }
        forgetParts(&context)
        leaveLinks(&context)
        parts.startOver()
        bytesResumed = 0
        guard !request.isStream else {
            let message = "the key holds an object already, with which a stream cannot be compared"
            return end(.failed(UploadFailure(.keyTaken, message)), &context)
        }
        guard !isOther, let comparison = session.comparison(with: exists) else {
            return contentDiffers(exists, isKnown: isOther, &context)
        }
        lifecycle.compare(comparison)
        context.actions.append(.report(id, .comparing))
        context.actions.append(
            .computeEvidence(id, bytes: exists.size, partBytes: comparison.partBytes, like: comparison.expected))
    }

    /// The shell has read the file.
    mutating func evidenceComputed(_ reading: EvidenceReading, _ context: inout AgentContext) {
        guard case .comparing(let comparison) = phase, let stamp = session.stamp else { return }
        switch reading {
        case .computed(let evidence, let later):
            guard stamp.difference(whileReading: later) != .changed else {
                return end(.failed(.changedWhileRead), &context)
            }
            switch comparison.judge(evidence) {
            case .same: contentAgrees(comparison.exists, evidence, &context)
            case .continuation: replace(comparison.exists, &context)
            case .other: contentDiffers(comparison.exists, isKnown: true, &context)
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
        let receipt = UploadReceipt(of: exists, by: session, evidence, root: root, at: site)
        end(.stored(receipt, wasThere: true), &context)
    }

    private mutating func contentDiffers(
        _ exists: SessionExists, isKnown: Bool, _ context: inout AgentContext
    ) {
        guard session.policy != .replace else { return replace(exists, &context) }
        end(.failed(exists.keyTaken(fileBytes: session.fileBytes, isKnown: isKnown)), &context)
    }

    /// A new session replaces exactly the object that was shown, if the store tells which object that is.
    private mutating func replace(_ exists: SessionExists, _ context: inout AgentContext) {
        startOver(&context)
        session.replace(exists)
        // If each comparison meets another object, the file must not be read again without a pause.
        let delay = failures > 0 ? context.clock.retryDelay(afterFailures: failures) : .zero
        lifecycle.wait(to: .open, until: context.now + delay)
    }
}
