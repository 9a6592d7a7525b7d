import TransferCommon
import WireProtocol

/// Where the parts of one upload may be offered, by the phase of the upload and the slots of its session.
struct OfferRule {
    private let links: SessionLinks
    /// How the file is divided.
    let plan: PartPlan?
    /// Whether a part that the store has may count as stored without an offer.
    let maySkip: Bool
    /// How many parts may be offered in a slot whose first answer has not come.
    private let offersAheadMax: Int
    private let concurrency: Int
    private let isShared: Bool
    /// Whether the answer to RESUME QUERY is awaited. When it comes, the session joins further connections.
    private let isResuming: Bool

    init(_ exchange: SessionExchange, _ limits: AgentLimits) {
        self.links = exchange.lifecycle.links
        self.plan = exchange.session.plan
        self.maySkip = exchange.phase == .transferring
        self.offersAheadMax =
            exchange.lifecycle.mayOfferEarly(exchange.session, limits) ? limits.offersAheadMax : 0
        self.concurrency = limits.concurrency
        self.isShared = limits.connections > 1 && exchange.session.isMultipart
        self.isResuming = exchange.phase == .resuming
    }

    /// The state of the slot in which a gateway has named the part.
    func slot(of part: UploadPart, at place: Attachment, _ connections: AgentConnectionTable) -> NamedParts.Slot {
        guard links.stage(at: place) == .open, let connection = connections[place.connection], connection.isOpen else {
            return .closed
        }
        return connection.hasQueued(part) ? .hasChunks : .free
    }

    /// The slot in which the part is offered; `nil` if no slot may carry the part now.
    func place(for part: UploadPart, _ parts: UploadParts, _ connections: AgentConnectionTable) -> Attachment? {
        let candidates = links.all.compactMap { link -> OfferPlacement.Candidate? in
            let sending = parts.sendingCount(in: link.place)
            let mayGoAhead = link.isUnanswered && sending < offersAheadMax
            guard link.stage == .open || mayGoAhead, let connection = connections[link.place.connection],
                connection.isOpen
            else { return nil }
            // Do not offer the part again yet: the gateway would take the queued chunks of the earlier offer for chunks
            // of the new offer.
            if connection.hasQueued(part) { return nil }
            let turns = connection.opened?.turns.sending.count ?? 0
            return OfferPlacement.Candidate(link.place, sendingCount: sending, turnCount: turns)
        }
        return placement(connections).choose(among: candidates)
    }

    private func placement(_ connections: AgentConnectionTable) -> OfferPlacement {
        guard isShared else { return OfferPlacement() }
        var coming = links.count(.resuming) + connections.values.count(where: \.isComing)
        if isResuming { coming += connections.countWithFreeSlot(excluding: links.connections) }
        return OfferPlacement(
            concurrency: concurrency, coming: coming, present: links.all.count { $0.stage != .resuming })
    }
}
