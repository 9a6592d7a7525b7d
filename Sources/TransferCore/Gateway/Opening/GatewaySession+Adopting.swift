import TransferCommon
import WireProtocol

// Adoption (specification §8.3): an unfinished session with equal terms, which the agent's journal has lost, continues
// in place of the session that the agent opens. The unfinished session takes over the slots of the opening one, with
// everything that the agent has sent ahead.

extension GatewaySession {
    /// The unfinished session that this opening session has found, with its stored parts; `nil` if there is none.
    var found: (record: SessionRecord, listed: [PartListEntry])? {
        guard case .resting(.opening(let opening)) = phase, case .found(let candidate, let listed, _) = opening.phase
        else { return nil }
        return (candidate.record, listed)
    }

    /// Continues with the next candidate, because the session that was found has come into use.
    mutating func passOver(_ context: inout GatewayContext) {
        guard case .resting(.opening(var opening)) = phase else { return }
        opening.passOver()
        apply(opening.ask(target), &context)
    }

    /// Moves the slots of an opening session to this session, with the parts that the agent has sent ahead in them.
    /// `listed`: the parts of this session that the store has.
    mutating func adoptSlots(
        of opening: GatewaySession, listed: [PartListEntry], _ context: inout GatewayContext
    ) {
        target.inherit(opening.target)
        doubt.resumed()
        intake.adopt(opening.intake, listed: listed, target, &context)
        context.resumed(id, of: device, key: facts.key)
        apply(.open, &context)
    }
}
