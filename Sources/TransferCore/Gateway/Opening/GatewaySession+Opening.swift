import TransferCommon
import WireProtocol

// Opening and resuming (specification §6.3, §8.1). `SessionOpening` decides what the store is asked; this file applies
// the answers to the session.

extension GatewaySession {
    /// Asks the store the question of an opening's phase.
    mutating func ask(_ opening: SessionOpening, _ context: inout GatewayContext) {
        phase = .opening(opening)
        request = context.request(opening.question(facts, plan: plan), for: id)
    }

    mutating func receivedOpeningAnswer(
        _ answer: StoreAnswer, _ opening: SessionOpening, isBusy: (SessionID) -> Bool, _ context: inout GatewayContext
    ) {
        var opening = opening
        switch opening.answered(answer) {
        case .judge(let object):
            guard !ends(with: object, &context) else { return }
            if opening.proceed(isOnePart: isOnePart) { ask(opening, &context) } else { becomeOpen(&context) }
        case .choose(let records): choose(among: records, opening, isBusy: isBusy, &context)
        case .ask: ask(opening, &context)
        case .adopt: phase = .opening(opening)
        case .created(let upload):
            facts.upload = upload
            ask(opening, &context)
        case .opened:
            context.actions.append(.note(.opened(id, device: device.name, key: facts.key)))
            becomeOpen(&context)
        case .resumed(let entries):
            stored.listed(entries, plan: plan)
            context.resumed(id, of: device, key: facts.key)
            becomeOpen(&context)
        case .uploadUnknown:
            search(.uploadUnknown, isPatient: mayBeCompletedElsewhere, &context)
        case .failed:
            fail(answer.refusal(in: .session), &context)
        }
    }

    private mutating func choose(
        among records: [SessionRecord], _ opening: SessionOpening, isBusy: (SessionID) -> Bool,
        _ context: inout GatewayContext
    ) {
        var opening = opening
        if let own = records.first(where: { $0.session == id }) {
            // If the record has no upload id, there may be an upload that only the store's cleaning can find, by this
            // record. So the record stays, and the session is refused.
            guard let upload = own.upload, own.isSameUpload(as: facts) else {
                return fail(
                    SessionRefused(.sessionLost, message: "the record of the session names no upload of these terms"),
                    &context)
            }
            facts.upload = upload
            opening.resume(upload: upload)
        } else {
            opening.probe(candidates(among: records.filter { !isBusy($0.session) }, context.limits))
        }
        ask(opening, &context)
    }

    /// The unfinished sessions that may take the place of this one, the lowest session id first.
    private func candidates(
        among records: [SessionRecord], _ limits: GatewayLimits
    ) -> [SessionOpening.Candidate] {
        // If a slot resumes exactly this session, no other session may take its place.
        guard attached.areAllOpening else { return [] }
        return records.filter(isAdoptable).compactMap { SessionOpening.Candidate($0) }
            .sorted { $0.record.session < $1.record.session }
            .prefix(limits.probesMax).map { $0 }
    }

    /// Whether the session of a record has equal terms, so that it may take the place of this one.
    private func isAdoptable(_ record: SessionRecord) -> Bool {
        // A record may outlast its session if removing it failed. A damaged record names no plan: the gateway would
        // refuse its token, and the agent would be offered the session again and again.
        record.hasPlan && record.session != id && record.session != writeGuard.objectSession
            && record.isSameUpload(as: facts)
    }

    /// Called by the gateway if the unfinished session that was found is in use by now, so that it cannot be adopted.
    mutating func passOver(_ opening: SessionOpening, _ context: inout GatewayContext) {
        var opening = opening
        opening.passOver()
        ask(opening, &context)
    }
}
