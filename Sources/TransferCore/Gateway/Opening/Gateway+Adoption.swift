import TransferCommon

// Adoption (specification §8.3): the steps that concern two sessions at once.

extension Gateway {
    /// Called after each answer of the store. If an opening session has found an unfinished session whose upload the
    /// store lists, the unfinished session takes over its slots, and the opening session ends.
    mutating func adoptIfFound(by id: SessionID) {
        guard let session = sessions[id], let (record, listed) = session.found else { return }
        // No slot waits for the answer any more, so nothing is adopted.
        guard !session.attached.isEmpty else { return sessions.remove(session) }
        let adopted = record.session
        // An agent may have resumed the unfinished session since the store was asked.
        guard sessions[adopted]?.isAdoptable != false,
            let plan = PartPlan(fileBytes: record.terms.size, partBytes: record.terms.partBytes)
        else {
            sessions[id]?.passOver(&context)
            return
        }
        sessions.remove(session)
        if sessions[adopted] == nil {
            let compares = session.target.writeGuard.compares
            sessions.add(GatewaySession(device: session.device, facts: record, plan: plan, compares: compares))
        }
        for slot in session.attached.attachments {
            self[slot]?.session = adopted
        }
        sessions[adopted]?.adoptSlots(of: session, listed: listed, &context)
        settleSlots()
        tidy(adopted)
    }
}
