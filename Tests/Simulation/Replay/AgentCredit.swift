import TransferCoreSupport
import WireProtocol

/// How many bytes of each part the agent may send (specification §7.2), computed from the frames that it received.
/// Within these limits the agent may choose the sizes and the order of its chunks.
struct AgentCredit {
    private struct Part {
        /// The highest offset up to which the agent may send; `nil` while the gateway has not decided the part.
        var limit: UInt64?
        var undecidedBytes: UInt64 = 0
    }

    private var initialBytes: [Int: UInt64] = [:]
    private var parts: [PartPlace: Part] = [:]

    /// Records a frame of the gateway.
    mutating func note(_ frame: Frame, at slot: SlotPlace) {
        switch frame {
        case .welcome(let welcome): initialBytes[slot.connection] = UInt64(welcome.initialCreditBytes)
        case .partDecision(let decision):
            let place = PartPlace(slot: slot, part: decision.part)
            if case .send(_, let limit) = decision.decision {
                parts[place] = Part(limit: limit)
            } else {
                parts[place] = nil
            }
        case .received(let received):
            let place = PartPlace(slot: slot, part: received.part)
            if let limit = parts[place]?.limit { parts[place]?.limit = max(limit, received.limit) }
        case .resumeState(let state): name(state.partials, at: slot)
        case .sessionOpened(let opened): name(opened.adoption?.partials ?? [], at: slot)
        default: break
        }
        if frame.closesSlot { parts = parts.filter { $0.key.slot != slot } }
    }

    private mutating func name(_ partials: [PartialPart], at slot: SlotPlace) {
        for partial in partials {
            parts[PartPlace(slot: slot, part: partial.part)] = Part(limit: partial.limit)
        }
    }

    /// Records that the agent offers a part, which the gateway has to decide.
    mutating func offer(_ place: PartPlace) { parts[place] = Part() }

    /// Records that the agent sends bytes of a part.
    ///
    /// - Returns: the violation, if there is one.
    mutating func send(_ range: Range<UInt64>, of place: PartPlace) -> String? {
        guard let part = parts[place] else { return nil }  // The part has failed, and the gateway discards its data.
        if let limit = part.limit {
            guard range.upperBound > limit else { return nil }
            return "the agent sent bytes of part \(place.part) below \(range.upperBound), beyond its limit \(limit)"
        }
        parts[place]?.undecidedBytes += UInt64(range.count)
        let undecided = parts.filter { $0.key.slot.connection == place.slot.connection }.map(\.value.undecidedBytes)
        let (sum, initial) = (undecided.reduce(0, +), initialBytes[place.slot.connection] ?? 0)
        guard sum > initial else { return nil }
        return "the agent sent \(sum) undecided bytes, beyond the initial credit of \(initial)"
    }
}
