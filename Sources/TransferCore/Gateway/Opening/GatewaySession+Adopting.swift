import TransferCommon
import WireProtocol

// Adoption (specification §8.3): instead of an opening session, an unfinished session with equal terms continues, which
// the agent's journal has lost. The unfinished session takes over the slots of the opening one, with everything that
// the agent has sent ahead.

extension GatewaySession {
    /// Called by the gateway: this session takes over the slots of an opening one, and the parts that were sent ahead
    /// in them.
    ///
    /// - Parameter listed: the parts of this session that the store has.
    mutating func adoptSlots(
        of opening: GatewaySession, listed: [PartListEntry], _ context: inout GatewayContext
    ) {
        phase = .open
        stored.adopted(listed, plan: plan)
        writeGuard.inherit(opening.writeGuard)
        attached.takeOver(opening.attached)
        var opening = opening
        for number in opening.parts.numbers() { adoptPart(number, of: &opening, &context) }
        context.resumed(id, of: device, key: facts.key)
        answerAllNowOpen(&context)
        decideWaitingParts(&context)
    }

    /// Takes over a part that was offered ahead. If this session has bytes of the same part with the same digest, it
    /// keeps the part of which more bytes have arrived. A chunk that is still arriving counts completely, because the
    /// agent will not send it again.
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
