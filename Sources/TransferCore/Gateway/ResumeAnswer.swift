import TransferCommon
import WireProtocol

/// Which stored parts a slot is told when its session continues there (specification §8.1, §8.3).
struct ResumeAnswer: Hashable {
    /// Parts that the store has and the agent has not listed, in order.
    let candidates: [PartListEntry]
    /// Parts that the agent has listed and the store has in another form, in order.
    let wanted: [PartNumber]

    /// - Parameters:
    ///   - listed: what the agent holds as stored.
    ///   - joins: whether another connection of the run has been told already. It knows all parts that were stored
    ///     here, but not those without a digest, because an offer cannot prove them.
    init(stored: [PartNumber: PartListEntry], listed: [PartListEntry], joins: Bool) {
        let named = Set(listed.map(\.part))
        candidates = stored.values
            .filter { !named.contains($0.part) && (!joins || $0.digest == nil) }
            .sorted { $0.part < $1.part }
        wanted = listed.filter { entry in stored[entry.part].map { !$0.isSameAsStored(entry) } ?? false }
            .map(\.part).sorted()
    }

    /// RESUME STATE of a session that continues.
    func resumeState(partBytes: UInt64, partials: [PartialPart], token: [UInt8]) -> ResumeState {
        ResumeState(
            phase: .ongoing, partBytes: partBytes, candidateParts: UInt32(clamping: candidates.count),
            partials: partials, wanted: wanted, token: token)
    }

    /// The part of SESSION OPENED that stands for RESUME STATE after an adoption.
    func adoption(partials: [PartialPart]) -> SessionOpened.Adoption {
        SessionOpened.Adoption(candidateParts: UInt32(clamping: candidates.count), partials: partials)
    }

    /// PART LIST pages with the candidates, to be sent after RESUME STATE or SESSION OPENED.
    var pages: [PartList] { candidates.isEmpty ? [] : PartList.pages(of: candidates) }
}
