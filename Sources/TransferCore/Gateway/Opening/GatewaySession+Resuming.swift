import TransferCommon
import WireProtocol

// The answer in a slot in which a session continues (specification §8.1, §8.3). `ResumeAnswer` chooses the stored
// parts; this file names the partials.

extension GatewaySession {
    func resumeState(_ phase: ResumePhase) -> ResumeState {
        ResumeState(
            phase: phase, partBytes: plan.partBytes, candidateParts: 0, partials: [], wanted: [], token: [])
    }

    mutating func sendResumeState(
        listed: [PartListEntry], asksForPartials: Bool, token: [UInt8], to attachment: Attachment,
        _ context: inout GatewayContext
    ) {
        let joins =
            listed.isEmpty && !asksForPartials
            && attached.hasOpenSlot(besides: attachment)
        let answer = ResumeAnswer(stored: stored.entries, listed: listed, joins: joins)
        let partials = asksForPartials ? namePartials(in: attachment, except: Set(listed.map(\.part))) : []
        let state = answer.resumeState(partBytes: plan.partBytes, partials: partials, token: token)
        context.send(.resumeState(state), to: attachment)
        for page in answer.pages { context.send(.partList(page), to: attachment) }
    }

    /// Sends SESSION OPENED of an adopted session. Its fields contain what RESUME STATE would contain.
    mutating func sendAdopted(token: [UInt8], to attachment: Attachment, _ context: inout GatewayContext) {
        let answer = ResumeAnswer(stored: stored.entries, listed: [], joins: false)
        let adoption = answer.adoption(partials: namePartials(in: attachment, except: []))
        let opened = SessionOpened(session: id, partBytes: plan.partBytes, token: token, adoption: adoption)
        context.send(.sessionOpened(opened), to: attachment)
        for page in answer.pages { context.send(.partList(page), to: attachment) }
    }

    /// Names the parts that have bytes at this gateway and that no connection sends. To name a part is to decide
    /// *send*: the part belongs to this slot from then on, and its budget stays reserved.
    ///
    /// - Parameter listed: parts that the agent lists as stored. The agent would send no bytes of these parts.
    private mutating func namePartials(in attachment: Attachment, except listed: Set<PartNumber>) -> [PartialPart] {
        var partials: [PartialPart] = []
        for number in parts.numbers() where partials.count < WireLimits.partialPartsMax {
            guard var part = parts[number], part.owner == nil, part.received > 0, !listed.contains(number) else {
                continue
            }
            part.named(to: attachment)
            parts[number] = part
            // COMPLETE of a one-part file may also refer to a named part.
            attached[attachment]?.offered(number)
            partials.append(
                PartialPart(
                    part: number, digest: part.offer.digest, offset: part.received, limit: part.limit))
        }
        return partials
    }
}
