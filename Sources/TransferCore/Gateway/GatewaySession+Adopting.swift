import TransferCommon
import WireProtocol

// Adoption (specification §8.3): a session that is being opened gives way to an unfinished one with equal terms, which
// the agent's journal has lost. The slots of the one that gives way turn to the other, with all that was sent ahead.

extension GatewaySession {
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
        writeGuard.inherit(opening.writeGuard)
        detachedAt = nil
        for var slot in opening.attached {
            slot.turnedToAdopted()
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
