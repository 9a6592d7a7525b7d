import TransferCommon
import WireProtocol

// What the frames about a part lead to.

extension PartTransfer {
    /// Judges a frame about a part: returns the part and what follows for it, or `nil` for a frame about no part.
    mutating func received(
        _ frame: Frame, at place: Attachment, isStream: Bool, _ store: inout StoreTrust
    ) -> (part: PartNumber, result: OnPart)? {
        attempts.received(frame, namesPartials: !parts.knowsPartials)
        switch frame {
        case .partDecision(let decision):
            return (decision.part, received(decision, at: place, isStream: isStream))
        case .received(let received):
            let (credit, isProgress) = parts.received(received, at: place)
            let connection = place.connection
            return (
                received.part,
                isProgress ? .arrived(credit, on: connection) : .credit(credit, on: connection, earlyBytes: 0)
            )
        case .stored(let stored):
            guard parts.isStored(stored, at: place) else { return nil }
            store.stored()
            return (stored.part, .stored(etag: stored.etag))
        case .error(let report):
            guard case .part(let number) = report.scope else { return nil }
            return (number, received(GatewayRefusal(report), of: number, at: place, isStream: isStream))
        default:
            return nil
        }
    }

    private mutating func received(_ decision: PartDecision, at place: Attachment, isStream: Bool) -> OnPart {
        let number = decision.part
        guard let part = parts[number], part.isUndecided(in: place) else { return .nothing }
        switch decision.decision {
        case .send(let offset, let limit):
            let earlyBytes = parts.takeEarlyBytes(number)?.earlyBytes ?? 0
            let credit = parts[number]?.granted(from: offset, limit: limit) ?? .nothing
            return .credit(credit, on: place.connection, earlyBytes: earlyBytes)
        case .have(let etag):
            bytesResumed += part.size
            return .stored(etag: etag)
        case .later(let code, let retryAfterMilliseconds):
            return .defer(GatewayRefusal(code, adviceMilliseconds: retryAfterMilliseconds))
        case .no(let code):
            return refused(number, GatewayRefusal(code), isStream: isStream)
        }
    }

    private mutating func received(
        _ refusal: GatewayRefusal, of number: PartNumber, at place: Attachment, isStream: Bool
    ) -> OnPart {
        if parts[number]?.place == place { return refused(number, refusal, isStream: isStream) }
        // The agent has no offer of the part in this slot. If the gateway had said here that it holds the first bytes
        // of the part, it has dropped them now, and the agent offers the whole part once it is read. Otherwise the
        // report answers an earlier offer, and the agent ignores it.
        guard parts.evicted(number, at: place) else { return .nothing }
        switch FailureRule.reaction(to: refusal.code, in: .part) {
        case .report, .stop: return .end(refusal.failure)
        case .tryAgain, .reconnect, .beginAnew, .readAgain: return .nothing
        }
    }

    private func refused(_ number: PartNumber, _ refusal: GatewayRefusal, isStream: Bool) -> OnPart {
        guard let part = parts[number] else { return .nothing }
        return switch FailureRule.reaction(to: refusal.code, in: .part) {
        case .readAgain where part.mismatches + 1 < Self.mismatchesMax: .readAgain
        case .readAgain: .end(refusal.failure)
        // No later run can read the stream again, so the upload drops the session of a stream.
        case .report, .stop: isStream ? .abandon(refusal.failure) : .end(refusal.failure)
        case .tryAgain, .reconnect, .beginAnew: .defer(refusal)
        }
    }
}
