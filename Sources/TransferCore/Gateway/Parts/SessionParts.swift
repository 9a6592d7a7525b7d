package import TransferCommon
package import WireProtocol

/// The parts of a session: those that agents have offered, those that the store has, and those that were given up.
///
///     from     event                                                            to
///     absent   an offer is taken up                                             offered
///     absent   the store lists the part                                         stored
///     offered  the store has taken the part                                     stored
///     offered  the store cannot take the part                                   absent
///     offered  the part is given up before its decision                         absent
///     offered  the part is given up after its decision                          givenUp
///     givenUp  the store has answered the call                                  absent
///     stored   the store holds the part in another form, or not at all          absent
///
/// - `IncomingPart` has the details of an offered part, and `StoredParts` those of a stored one. A stored part can be
///   offered again under another digest; it is then offered and stored at the same time.
/// - A part that was given up may still be stored until the store has answered its call.
/// - This type sends nothing and reserves nothing. Each method that removes a part returns it, and the caller frees
///   the budget and the flow of the part.
package struct SessionParts: Hashable, Sendable {
    /// What the session does about an offer.
    package enum OnOffer: Hashable, Sendable {
        /// The gateway ends the connection; the text says what is wrong.
        case wrong(String)
        /// The session refuses the part: no session may have a part with this number.
        case beyond
        /// The part continues in this slot, after the bytes that have arrived. `voidsComplete`: COMPLETE becomes void.
        case continues(PartDecision.Decision, voidsComplete: Bool)
        /// The session takes up or refuses the offer, and COMPLETE is void. `replaced`: an earlier offer, given up.
        case isNew(replaced: IncomingPart?)
    }

    /// What the session does after plain bytes have arrived.
    package enum OnBytes: Hashable, Sendable {
        /// The session drops the bytes: the part was taken over or dropped while the chunk was arriving.
        case unwanted
        /// The part has no decision yet, so its bytes count against the initial credit.
        case undecided
        case counted
        /// The session sends RECEIVED: all bytes of the part have arrived.
        case whole(Received, Attachment)
    }

    /// What the session does after the store has taken bytes.
    package struct OnConsumed: Hashable, Sendable {
        package var part: IncomingPart.OnConsumed
        /// The frame that raises the agent's limit, and its slot; `nil` if the limit stays.
        package var received: Received?
        package var owner: Attachment?
    }

    /// What the session does after the store has answered the call of a part. The part was removed before.
    package enum OnAnswer: Hashable, Sendable {
        /// The session sends STORED.
        case stored(Stored)
        /// The session reports that the part failed, and continues.
        case failed(SessionRefused)
        case step(SessionStep)
    }

    /// What an adopted session does about a part that the agent has offered to the opening session (see `adopt`).
    package enum OnAdoption: Hashable, Sendable {
        /// The session gives up the offered part, and sends the decision about its own part.
        case keepsOwn(PartDecision.Decision)
        /// This session takes over the offered part with its flow. `replaced` is its own part, which was given up.
        case takesOver(replaced: IncomingPart?)
        /// The session gives up the offered part, and defers it. `replaced`: its own part, which was given up.
        case full(replaced: IncomingPart?)
    }

    /// What becomes of a part when its connection is lost.
    package enum OnConnectionLost: Hashable, Sendable {
        /// The part and the store call that uploads it stay. The call gets further bytes when the agent is back.
        case keeps(StoreRequestID)
        case givesUp(IncomingPart)
    }

    /// What the session does about the last bytes of a one-part file.
    package enum OnTail: Hashable, Sendable {
        case wait
        case release(FlowID)
        /// The session looks up the key, and calls `looks`.
        case look
    }

    let plan: PartPlan
    /// The offered parts, until the store has answered or the gateway gives them up.
    package internal(set) var table = PartTable()
    package internal(set) var stored: StoredParts
    /// What the offers say of a stream's length.
    package private(set) var extent = StreamExtent()
    /// The digests of parts that were given up, by their calls, which may take effect until the store answers them.
    var givenUp: [StoreRequestID: SHA256Digest] = [:]

    /// A session without parts. Memory is reserved for `partsMax` stored ones.
    package init(plan: PartPlan, partsMax: Int) {
        self.plan = plan
        self.stored = StoredParts(partsMax: partsMax)
    }

    // MARK: Read-outs

    package subscript(number: PartNumber) -> IncomingPart? { table[number] }

    package var isEmpty: Bool { table.isEmpty }
    var isOnePart: Bool { plan.isOnePart }
    /// Whether a call that was given up may still take effect.
    package var mayLand: Bool { !givenUp.isEmpty }

    /// Whether the store has all parts of a file whose size is known.
    package var isWhole: Bool { plan.partCount.map { stored.count >= Int(clamping: $0) } ?? false }

    /// Whether the store may have all parts, so that another gateway may be completing the upload. `listed`: how many
    /// parts an agent has listed when it resumed; if it may have sent COMPLETE, it lists all (specification §9.1).
    package func mayBeWhole(listed: Int) -> Bool {
        guard let count = plan.partCount else { return true }
        return max(stored.count + table.decidedCount, listed) >= Int(count)
    }

    // MARK: Offers

    /// Judges PART OFFER, and continues a decided part that is offered again. `rule`: the bounds on parts in WELCOME.
    package mutating func receivedOffer(_ offer: PartOffer, from owner: Attachment, rule: PartRule) -> OnOffer {
        switch judge(offer, rule) {
        case .fits: break
        case .wrong(let reason): return .wrong(reason)
        case .beyond: return .beyond
        }
        guard let part = table[offer.part], part.isSame(as: offer), !part.isUndecided else {
            return .isNew(replaced: giveUp(offer.part))
        }
        // COMPLETE refers to the offer before it. A new offer makes COMPLETE void, unless the store has the last bytes
        // already.
        let voidsComplete = part.tail != .released
        if voidsComplete { voidComplete() }
        return .continues(takeOver(offer.part, by: owner), voidsComplete: voidsComplete)
    }

    private mutating func judge(_ offer: PartOffer, _ rule: PartRule) -> StreamExtent.OnOffer {
        guard let partCount = plan.partCount else {
            return extent.offered(offer, partBytes: plan.partBytes, rule: rule)
        }
        let fits = plan.bytes(of: offer.part) == offer.size && offer.isLast == (offer.part.value == partCount)
        return fits ? .fits : .wrong("the session has \(partCount) parts of \(plan.partBytes) bytes or the rest")
    }

    /// The stored part that the offer names, if any.
    package mutating func storedForm(of offer: PartOffer) -> PartListEntry? {
        isOnePart ? nil : stored.form(of: offer)
    }

    /// Takes up an offer: a flow takes the bytes of the part from now on.
    package mutating func add(_ offer: PartOffer, from owner: Attachment, flow: FlowID) {
        table[offer.part] = IncomingPart(offer: offer, owner: owner, flow: flow, holdsTail: isOnePart)
    }

    /// Decides *send* for a part, and returns the decision to send. The call asks the store to check `condition`.
    package mutating func decided(
        _ number: PartNumber, _ grant: PartGrant, condition: PutCondition
    ) -> PartDecision.Decision {
        table[number]?.decided(
            call: grant.call, condition: condition, reserved: grant.bytesReserved, bytesFirst: grant.bytesFirst)
        return sendDecision(of: number)
    }

    /// Continues a part in another slot, after the bytes that have arrived; returns the decision to send.
    package mutating func takeOver(_ number: PartNumber, by owner: Attachment) -> PartDecision.Decision {
        table[number]?.takenOver(by: owner)
        return sendDecision(of: number)
    }

    private func sendDecision(of number: PartNumber) -> PartDecision.Decision {
        .send(offset: table[number]?.received ?? 0, limit: table[number]?.limit ?? 0)
    }

    /// Names the parts of which the gateway holds bytes while no connection sends them, except those that the agent
    /// lists. To name a part is to decide *send*: it belongs to this slot from then on, and its budget stays reserved.
    package mutating func namePartials(to owner: Attachment, except listed: Set<PartNumber>) -> [PartialPart] {
        var partials: [PartialPart] = []
        for number in table.numbers() where partials.count < WireLimits.partialPartsMax {
            guard var part = table[number], part.owner == nil, part.received > 0, !listed.contains(number) else {
                continue
            }
            part.named(to: owner)
            table[number] = part
            partials.append(
                PartialPart(part: number, digest: part.offer.digest, offset: part.received, limit: part.limit))
        }
        return partials
    }

    /// Decides about a part that the agent has offered to the opening session, whose slots this session takes over. If
    /// this session has received bytes of the same part with the same digest, the part with more bytes stays. A chunk
    /// of the offered part that is still arriving counts completely, because the agent will not send it again.
    package mutating func adopt(_ offered: IncomingPart, by owner: Attachment, partsMax: Int) -> OnAdoption {
        let number = offered.offer.part
        if let own = table[number], own.isSame(as: offered.offer), own.received >= offered.reach {
            return .keepsOwn(takeOver(number, by: owner))
        }
        let replaced = giveUp(number)
        guard table.count < partsMax else { return .full(replaced: replaced) }
        table[number] = offered
        return .takesOver(replaced: replaced)
    }

    // MARK: Data

    /// Judges the header of PART DATA; the connection has used `undecidedBytes` of its initial credit.
    mutating func receivedData(
        _ header: PartDataHeader, from owner: Attachment, creditBytes: UInt64, undecidedBytes: UInt64
    ) -> Result<OnPartData, Violation> {
        guard var part = table[header.part], part.owner == owner else { return .success(.discard) }
        let result = part.receivedData(header, creditBytes: creditBytes, undecidedBytes: undecidedBytes)
        table[header.part] = part
        switch result {
        case .accept(let skip): return .success(.accept(part.flow, skip: skip))
        case .discard: return .success(.discard)
        case .violation(let code, let reason): return .failure(.data(header, code, reason))
        }
    }

    /// Counts plain bytes of an accepted chunk, which are about to go to their flow.
    package mutating func receivedBytes(
        _ count: UInt64, of number: PartNumber, flow: FlowID, connection: ConnectionID
    ) -> OnBytes {
        guard var part = table[number], part.flow == flow, let owner = part.owner, owner.connection == connection,
            part.receivedBytes(count)
        else { return .unwanted }
        table[number] = part
        if part.isUndecided { return .undecided }
        return part.isWhole ? .whole(part.receivedFrame, owner) : .counted
    }

    /// Counts the bytes of a flow that the call to the store has taken; `total` counts from the beginning of the flow.
    /// A part of up to `heldBytesMax` stays in memory until the store has answered. Any other part may hold `window`
    /// bytes.
    package mutating func consumed(
        _ total: UInt64, of number: PartNumber, flow: FlowID, heldBytesMax: UInt64, window: UInt64
    ) -> OnConsumed? {
        guard var part = table[number], part.flow == flow,
            let result = part.consumed(total, heldBytesMax: heldBytesMax, window: window)
        else { return nil }
        table[number] = part
        return OnConsumed(
            part: result, received: result.isLimitRaised ? part.receivedFrame : nil, owner: part.owner)
    }
}
