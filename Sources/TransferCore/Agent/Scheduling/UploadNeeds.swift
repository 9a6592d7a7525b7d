import TransferCommon

/// What an upload or a proof waits for, apart from answers: a slot, room for a part, or a moment.
struct UploadNeeds: Hashable {
    var slot = false
    var room = false
    /// Whether the upload has no part under way.
    var holdsNothing = false
    /// The next moment at which the upload or proof has something to do.
    var wakeAt: Instant?

    mutating func wake(at moment: Instant, now: Instant) {
        guard moment > now else { return }
        wakeAt = wakeAt.map { min($0, moment) } ?? moment
    }
}

extension UploadNeeds {
    /// What an upload waits for after its turn. `isSmall`: its part does not count against the concurrency.
    init(of exchange: SessionExchange, _ parts: UploadParts, isSmall: Bool, _ limits: AgentLimits, now: Instant) {
        holdsNothing = parts.isEmpty
        if let moment = parts.nextOffer(after: now) { wake(at: moment, now: now) }
        if let moment = exchange.waits.answer.tellsAt(limits.answerToldAfter) { wake(at: moment, now: now) }
        if exchange.lifecycle.wantsToJoin(exchange.session, parts, limits) {
            wake(at: exchange.waits.joinsAt, now: now)
        }
        switch exchange.phase {
        case .waiting(_, let until):
            wake(at: until, now: now)
            slot = until <= now
        case .verifying(let verification):
            room = !isSmall && verification.next(concurrency: limits.concurrency) != nil
        default:
            room =
                !isSmall && exchange.lifecycle.mayTakeUp(exchange.session, limits) && !parts.readsNone
                && parts.hasNext(in: exchange.session.plan)
        }
    }
}
