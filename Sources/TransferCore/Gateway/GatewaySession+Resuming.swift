import TransferCommon
import WireProtocol

// What a slot is told when its session goes on: candidates, partials, parts that are wanted again (specification §8.1).

extension GatewaySession {
    func resumeState(_ phase: ResumePhase) -> ResumeState {
        ResumeState(
            phase: phase, partBytes: plan.partBytes, candidateParts: 0, partials: [], wanted: [], token: [])
    }

    mutating func sendResumeState(
        listed: [PartListEntry], asksForPartials: Bool, token: [UInt8], to index: Int, _ context: inout GatewayContext
    ) {
        let attachment = attached[index].attachment
        let named = Set(listed.map(\.part))
        // A connection that joins knows all that was stored here, but for what an offer's digest cannot prove.
        let joins =
            listed.isEmpty && !asksForPartials
            && attached.contains { $0.attachment != attachment && $0.awaits == .nothing }
        let candidates = candidates(except: named).filter { !joins || $0.digest == nil }
        let wanted = listed.filter { entry in
            guard let known = stored[entry.part] else { return false }
            return !known.isSameAsStored(entry)
        }
        let state = ResumeState(
            phase: .ongoing, partBytes: plan.partBytes, candidateParts: UInt32(clamping: candidates.count),
            partials: asksForPartials ? namePartials(in: index, except: named) : [],
            wanted: wanted.map(\.part).sorted(), token: token)
        context.send(.resumeState(state), to: attachment)
        send(candidates, to: attachment, &context)
    }

    /// SESSION OPENED *adopted*: RESUME STATE is spared, so its fields are here.
    mutating func sendAdopted(token: [UInt8], to index: Int, _ context: inout GatewayContext) {
        let attachment = attached[index].attachment
        let candidates = candidates(except: [])
        let adoption = SessionOpened.Adoption(
            candidateParts: UInt32(clamping: candidates.count), partials: namePartials(in: index, except: []))
        let opened = SessionOpened(session: id, partBytes: plan.partBytes, token: token, adoption: adoption)
        context.send(.sessionOpened(opened), to: attachment)
        send(candidates, to: attachment, &context)
    }

    /// The parts that the store has and the agent has not listed.
    private func candidates(except listed: Set<PartNumber>) -> [PartListEntry] {
        stored.values.filter { !listed.contains($0.part) }.sorted { $0.part < $1.part }
    }

    private func send(_ candidates: [PartListEntry], to attachment: Attachment, _ context: inout GatewayContext) {
        for page in PartList.pages(of: candidates) where !candidates.isEmpty {
            context.send(.partList(page), to: attachment)
        }
    }

    /// Names the parts of which bytes are here and which no connection sends. Each is a decision *send*: the slot has
    /// the part from here on, and the memory that is reserved for it stays.
    ///
    /// - Parameter listed: parts that the agent holds as stored. It would send nothing of them.
    private mutating func namePartials(in index: Int, except listed: Set<PartNumber>) -> [PartialPart] {
        var partials: [PartialPart] = []
        for number in parts.keys.sorted() where partials.count < WireLimits.partialPartsMax {
            guard var part = parts[number], part.owner == nil, part.received > 0, !listed.contains(number) else {
                continue
            }
            part.named(to: attached[index].attachment)
            parts[number] = part
            // COMPLETE of a one-part file stands on a part that was named, too.
            attached[index].hasOffered = true
            partials.append(
                PartialPart(
                    part: number, digest: part.offer.digest, offset: part.received, limit: part.limit))
        }
        return partials
    }
}
