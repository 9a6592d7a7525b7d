package import TransferCommon
package import WireProtocol

/// The stored parts that the gateway names in a slot when a session continues there (specification §8.1, §8.3).
package struct ResumeAnswer: Hashable, Sendable {
    /// Parts that the store has and the agent has not listed.
    package let candidates: PartSet
    /// Parts that the agent has listed, but that the store holds with other content or another ETag, in order.
    package let wanted: [PartNumber]

    /// - Parameter joins: whether another slot of the run is open already. The agent then knows all stored parts whose
    /// digests this gateway knows. The gateway names only the others, so that the agent offers them with an MD5.
    package init(stored: StoredParts, listed: [PartListEntry], joins: Bool) {
        // The agent may list any number. Only stored parts enter the set, because it is as large as its highest number.
        var named = PartSet()
        for entry in listed where stored.contains(entry.part) { named.insert(entry.part) }
        candidates = stored.numbers(except: named, hasNoDigest: joins)
        wanted = listed.filter { entry in stored[entry.part].map { !$0.isSameAsStored(entry) } ?? false }
            .map(\.part).sorted()
    }

    /// RESUME STATE of a session that continues.
    package func resumeState(partBytes: UInt64, partials: [PartialPart], token: [UInt8]) -> ResumeState {
        ResumeState(
            phase: .ongoing, partBytes: partBytes, candidateParts: UInt32(clamping: candidates.count),
            partials: partials, wanted: wanted, token: token)
    }

    /// The field of SESSION OPENED that an agent gets in place of RESUME STATE after an adoption.
    package func adoption(partials: [PartialPart]) -> SessionOpened.Adoption {
        SessionOpened.Adoption(candidateParts: UInt32(clamping: candidates.count), partials: partials)
    }

    /// The frame that answers an agent when its session is open; the list of the candidates follows it. `partials`:
    /// parts of which this gateway holds the first bytes, if the agent asks for them.
    func frame(
        to question: AttachedSlot.Question, of target: SessionTarget, partials: [PartialPart], token: [UInt8]
    ) -> Frame {
        let partBytes = target.plan.partBytes
        switch question {
        case .open:
            return .sessionOpened(SessionOpened(session: target.session, partBytes: partBytes, token: token))
        case .adopt:
            let opened = SessionOpened(
                session: target.session, partBytes: partBytes, token: token, adoption: adoption(partials: partials))
            return .sessionOpened(opened)
        case .resume:
            return .resumeState(resumeState(partBytes: partBytes, partials: partials, token: token))
        }
    }
}
