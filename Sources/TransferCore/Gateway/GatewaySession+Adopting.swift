import TransferCommon
import WireProtocol

// Adoption (specification §8.3): a session that is being opened gives way to an unfinished one with equal terms, which
// the agent's journal has lost. The slots of the one that gives way turn to the other, with all that was sent ahead.

extension GatewaySession {
    /// A look at the uploads of unfinished sessions, one after another: the record of an upload that is gone says
    /// nothing, and must do no harm.
    struct Probe: Hashable {
        /// The one whose upload the store is asked for.
        var record: SessionRecordFacts
        /// Those to be looked at where its upload is gone, the lowest session id first.
        var left: [SessionRecordFacts]
        /// What the store has of it, once the store has said so. The gateway then adopts the session.
        var listed: [PartListEntry]?
    }

    /// Whether a record is that of a session with equal terms which this one may give way to.
    func adoptable(_ record: SessionRecordFacts) -> Bool {
        // A record may outlast its session where removing it failed. A damaged one names no plan: its token would be
        // refused, and the agent be offered it again for ever.
        record.upload != nil && record.hasPlan && record.session != id && record.session != objectSession
            && record.isSameUpload(as: facts)
    }

    /// Begins to look for a session to give way to; of several the one with the lowest id counts.
    mutating func probe(_ records: [SessionRecordFacts], _ context: inout GatewayContext) {
        // A slot that resumes this very session wants no other one.
        let isOnlyOpening = attached.allSatisfy { $0.awaits == .opened }
        let sorted = records.sorted { ($0.session.high, $0.session.low) < ($1.session.high, $1.session.low) }
        probeNext(isOnlyOpening ? Array(sorted.prefix(context.limits.probesMax)) : [], &context)
    }

    private mutating func probeNext(_ records: [SessionRecordFacts], _ context: inout GatewayContext) {
        guard let record = records.first, let upload = record.upload else {
            phase = .recording
            request = context.request(.writeRecord(facts), for: id)
            return
        }
        phase = .probing(Probe(record: record, left: Array(records.dropFirst())))
        request = context.request(.listParts(key: record.key, upload: upload), for: id)
    }

    mutating func receivedProbe(_ answer: StoreAnswer, _ probe: Probe, _ context: inout GatewayContext) {
        switch answer {
        case .parts(let entries):
            var found = probe
            found.listed = entries
            phase = .probing(found)
        case .failed(.uploadUnknown):
            probeNext(probe.left, &context)
        default:
            fail(answer.refusal(in: .session), &context)
        }
    }

    /// The session that was found is in use at this gateway by now.
    mutating func passOver(_ probe: Probe, _ context: inout GatewayContext) {
        probeNext(probe.left, &context)
    }

    /// Called by the gateway: this session takes over the slots of one that was being opened, and what was sent ahead
    /// in them.
    ///
    /// - Parameter listed: what the store has of this session.
    mutating func adoptSlots(
        of opening: GatewaySession, listed: [PartListEntry], _ context: inout GatewayContext
    ) {
        phase = .open
        // What this gateway has stored itself it knows better: it has the digests.
        for entry in listed where stored[entry.part] == nil && plan.bytes(of: entry.part) != nil {
            stored[entry.part] = entry
        }
        seen = opening.seen
        objectSession = opening.objectSession
        detachedAt = nil
        for var slot in opening.attached {
            slot.awaits = .adopted
            attached.append(slot)
        }
        var opening = opening
        for number in opening.parts.keys.sorted() { adoptPart(number, of: &opening, &context) }
        context.actions.append(.note(.resumed(id, device: device.name, key: facts.key)))
        answerAllNowOpen(&context)
        decideWaitingParts(&context)
    }

    /// A part that was offered ahead. Where bytes of the same part with the same digest are here, what reaches further
    /// is kept; that counts the whole of a chunk that is still arriving, because nothing but the rest of it is sent
    /// for it.
    private mutating func adoptPart(
        _ number: PartNumber, of opening: inout GatewaySession, _ context: inout GatewayContext
    ) {
        guard let offered = opening.parts[number], let owner = offered.owner else { return }
        if let own = parts[number] {
            if own.isSame(as: offered.offer), own.received >= offered.reach {
                opening.dropPart(number, &context)
                return takeOver(number, from: owner, &context)
            }
            dropPart(number, &context)
        }
        guard parts.count < context.limits.partsPerSessionMax else {
            opening.dropPart(number, &context)
            return decide(number, .later(.busy, after: context.limits.laterAdvice), for: owner, &context)
        }
        opening.parts[number] = nil
        parts[number] = offered
        context.moveFlow(offered.flow, to: id)
    }
}
