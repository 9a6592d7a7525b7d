import TransferCommon

// Adoption (specification §8.3) as far as it concerns two sessions at once.

extension Gateway {
    /// Called after each answer of the store: where a session that is being opened has found an unfinished one whose
    /// upload the store lists, its slots turn to that one, and its own id is spent.
    mutating func adoptIfFound(by id: SessionID) {
        guard let opening = sessions[id], case .probing(let probe) = opening.phase, let listed = probe.listed else {
            return
        }
        // Nobody waits for an answer any more.
        guard !opening.attached.isEmpty else { return forget(opening) }
        let adopted = probe.record.session
        // It may have been taken up while the store was asked.
        guard sessions[adopted]?.isAdoptable != false,
            let plan = PartPlan(fileBytes: probe.record.terms.size, partBytes: probe.record.terms.partBytes)
        else {
            sessions[id]?.passOver(probe, &context)
            return
        }
        forget(opening)
        if sessions[adopted] == nil {
            add(GatewaySession(device: opening.device, facts: probe.record, plan: plan, compares: opening.compares))
        }
        for slot in opening.attached.map(\.attachment) {
            connections[slot.connection]?.slots[slot.slot]?.session = adopted
        }
        sessions[adopted]?.adoptSlots(of: opening, listed: listed, &context)
        settleSlots()
        tidy(adopted)
    }
}
