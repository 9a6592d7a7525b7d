import TransferCommon
import WireProtocol

// Parts that a gateway has named as partials or candidates (specification §8.1): without an offer, partials are sent and
// candidates count as stored.

extension AgentUpload {
    /// RESUME STATE or SESSION OPENED has named partials in a slot. A part that was offered there is decided by the
    /// answer to its offer.
    mutating func received(_ partials: [PartialPart], at attachment: Attachment) {
        var fresh: [PartNumber] = []
        for partial in partials where stored[partial.part] == nil && plan?.bytes(of: partial.part) != nil {
            guard parts[partial.part]?.place == nil else { continue }
            named.name(partial, in: attachment)
            if parts[partial.part] == nil { fresh.append(partial.part) }
        }
        window.known.formUnion(partials.map(\.part))
        queue.putFirst(fresh)
    }

    /// PART LIST names the parts that the store has and the agent did not list. They are read first.
    mutating func received(_ page: PartList, _ context: inout AgentContext) {
        guard let plan, let count = plan.partCount else { return }
        window.known.formUnion(page.entries.map(\.part))
        for entry in page.entries where stored[entry.part] == nil && plan.bytes(of: entry.part) == entry.size {
            if let digest = entry.digest, parts[entry.part]?.place == nil {
                named.list(entry.part, digest: digest, etag: entry.etag)
            }
            guard parts[entry.part] == nil, queue.preferredCount <= Int(count) else { continue }
            queue.putLast(entry.part)
            if entry.digest == nil { needsMD5.insert(entry.part) }
        }
        if page.isLast { named.listEnded() }
        offerReadyParts(&context)
    }

    /// A part has been read that a gateway may have named. If the digest agrees, the part is stored already, or its data
    /// continues in the slot in which it was named.
    ///
    /// - Returns: whether the part needs no offer now.
    mutating func goesOnWithoutOffer(_ number: PartNumber, _ context: inout AgentContext) -> Bool {
        guard let known = named[number], let part = parts[number], let digest = part.digest else { return false }
        guard known.digest == digest else {
            // The offer tells the gateway that it holds other content.
            named.forget(number)
            return false
        }
        switch known.standing {
        case .stored(let etag):
            guard phase == .transferring else { return false }
            named.forget(number)
            bytesResumed += part.size
            partStored(number, etag: etag, &context)
            return true
        case .partial(let slot, let offset, let limit):
            guard lifecycle.links.stage(at: slot) == .open, let connection = context.connections[slot.connection],
                connection.isOpen
            else {
                named.forget(number)
                return false
            }
            // The gateway would take queued chunks of an earlier offer for these. The part is tried again when they are gone.
            guard !connection.hasQueued(UploadPart(upload: id, part: number)) else { return true }
            named.forget(number)
            sendOn(number, from: offset, limit: limit, in: slot, &context)
            return true
        }
    }

    private mutating func sendOn(
        _ number: PartNumber, from offset: ByteOffset, limit: ByteOffset, in slot: Attachment,
        _ context: inout AgentContext
    ) {
        guard let size = parts[number]?.size else { return }
        let start = min(offset, size)
        parts[number]?.begin(
            OutgoingPart.Offer(context.newOffer(), in: slot, from: start, limit: min(limit, size)))
        if start < size {
            context.connections[slot.connection]?.add(UploadPart(upload: id, part: number))
        } else {
            partTaken(number, &context)
        }
    }

    /// The gateway has evicted a part that it had named and that the agent has not read yet. The agent offers the part
    /// once it has read it.
    mutating func namedPartRefused(
        _ number: PartNumber, _ failure: UploadFailure, _ code: ErrorCode, at slot: Attachment,
        _ context: inout AgentContext
    ) {
        guard named.evicted(number, at: slot) else { return }
        switch FailureRule.reaction(to: code, in: .part) {
        case .report, .stop: end(.failed(failure), &context)
        case .tryAgain, .reconnect, .beginAnew, .readAgain: break
        }
    }
}
