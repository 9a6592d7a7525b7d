package import WireProtocol

// What an upload does about an object under its key: the session was completed, or the key held an object before
// (specification §6.3).

extension SessionExchange {
    /// Judges the object that COMPLETED names: it is the file, is compared with the file, or ends the upload.
    package mutating func received(
        _ completed: Completed, at place: Attachment, stage: Stage, site: DeviceSite?, _ digests: FileDigests,
        _ clock: inout AgentClock
    ) -> [UploadEffect] {
        guard phase.concernsObject else { return [] }
        if lifecycle.isDropping { return [.end(.dropped)] }
        self.site = site
        let effects: [UploadEffect] = session.isOnePart ? [.progress, .storeIsWell] : [.progress]
        let isAnswer = stage == .completing
        switch completed.judge(for: session, root: digests.root, whole: digests.whole, isAnswer: isAnswer) {
        case .otherSize:
            return effects + [.end(.failed(UploadFailure(.protocolViolation, "the gateway completed another size")))]
        case .compare(let exists, let isOther):
            return effects + compare(with: exists, stage: stage, isOther: isOther, &clock)
        case .stored(let isCompared):
            return effects + [.stored(completed, root: digests.root, isCompared: isCompared, at: place)]
        }
    }

    /// Compares the file with the object that SESSION EXISTS names, if the policy allows that.
    package mutating func received(
        _ exists: SessionExists, stage: Stage, site: DeviceSite?, _ clock: inout AgentClock
    ) -> [UploadEffect] {
        self.site = site
        guard phase.concernsObject else { return [] }
        if lifecycle.isDropping { return [.end(.dropped)] }
        guard session.policy != .fail else {
            return [.progress, .end(.failed(UploadFailure(.keyTaken, "the key holds an object already")))]
        }
        return [.progress] + compare(with: exists, stage: stage, isOther: false, &clock)
    }

    /// - Parameter isOther: whether the object is already known to be neither the file nor its beginning.
    private mutating func compare(
        with exists: SessionExists, stage: Stage, isOther: Bool, _ clock: inout AgentClock
    ) -> [UploadEffect] {
        // A comparison in answer to SESSION OPEN discards no work, so it does not count as a failure.
        if stage != .opening { waits.comparedLate() }
        return [.forgetParts, .leave, .parts(.startedOver)]
            + follow(exists.judge(for: session, isOther: isOther), &clock)
    }

    /// Judges the object under the key by the file that the shell has read.
    package mutating func evidenceComputed(_ reading: EvidenceReading, _ clock: inout AgentClock) -> [UploadEffect] {
        guard case .comparing(let comparison) = phase else { return [] }
        return follow(comparison.judge(reading, for: session), &clock)
    }

    private mutating func follow(_ result: OnObject, _ clock: inout AgentClock) -> [UploadEffect] {
        switch result {
        case .compare(let comparison):
            lifecycle.compare(comparison)
            let (bytes, partBytes) = (comparison.exists.size, comparison.partBytes)
            return [
                report(.comparing),
                .perform(.computeEvidence(id, bytes: bytes, partBytes: partBytes, like: comparison.expected)),
            ]
        case .same(let exists, let evidence):
            return [.found(exists, evidence)]
        case .replace(let exists):
            let effects = startOver()
            session.replace(exists)
            return effects + [.wait(.open, until: waits.replacement(&clock))]
        case .end(let failure):
            return [.end(.failed(failure))]
        }
    }
}
