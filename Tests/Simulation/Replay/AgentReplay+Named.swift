import TransferCommon
import TransferCoreSupport
import WireProtocol

// Parts that the gateway names as partials or candidates (specification §8.1): the agent may continue them without an
// offer, or offer them.

extension AgentReplay {
    /// Records the parts that the gateway names in a frame.
    func note(_ frame: Frame, at place: SlotPlace) {
        let partials: [PartialPart] =
            switch frame {
            case .resumeState(let state): state.partials
            case .sessionOpened(let opened): opened.adoption?.partials ?? []
            default: []
            }
        for part in partials {
            let decision = PartDecision.Decision.send(offset: part.offset, limit: part.limit)
            named[PartPlace(slot: place, part: part.part)] = (part.digest, decision)
        }
        guard case .partList(let list) = frame else { return }
        for entry in list.entries {
            guard let digest = entry.digest else { continue }
            named[PartPlace(slot: place, part: entry.part)] = (digest, .have(etag: entry.etag))
        }
    }

    /// Answers the agent's offer of a part that the gateway has named. The agent may offer such a part even if the
    /// conversation has no line with this offer.
    ///
    /// - Returns: whether the agent has sent such an offer.
    func answerOfferOfNamedPart() throws -> Bool {
        for (place, naming) in named {
            guard let wire = wires[place.slot.connection], let index = sent.firstIndex(where: { isAbout(place, $0) }),
                case .partOffer(let offer)? = sent[index].frame, offer.digest == naming.digest,
                try !isOffered(place.part, on: place.slot.connection)
            else { continue }
            sent.remove(at: index)
            named[place] = nil
            let decision = PartDecision(part: place.part, decision: naming.decision)
            try send(.partDecision(decision), to: place.slot, on: wire)
            return true
        }
        return false
    }

    private func isOffered(_ part: PartNumber, on connection: Int) throws -> Bool {
        try lines.contains { line in
            guard case .frame(let line) = line, line.connection == connection, line.type == .partOffer else {
                return false
            }
            return try line.place()?.part == part
        }
    }
}
