import TransferCommon
import WireProtocol

/// The upload of one file, from its submission to its outcome. It may need several sessions and connections.
///
/// `SessionExchange` judges the answers of gateways and the file as a whole, and returns effects (`UploadEffect`).
/// `PartTransfer` requests reads of parts, offers the parts, sends them, and returns results (`OnPart`). `AgentUpload`
/// passes the events to the two and applies what they return (`apply`).
///
/// Invariants:
/// - A part counts as stored only if a gateway has said so: in STORED, in the decision *have*, or in a list of
///   candidates. The journal has each of these parts with its digest and ETag.
/// - Every upload ends in `finish`.
struct AgentUpload: Hashable {
    typealias Stage = SessionLinks.Stage

    /// The position of the upload in the order of submission, counted from 1.
    let submissionOrder: UInt64
    var exchange: SessionExchange
    var transfer: PartTransfer

    init(request: UploadRequest, submissionOrder: UInt64, limits: AgentLimits) {
        self.exchange = SessionExchange(request, lossesMax: limits.lossesMax)
        self.transfer = PartTransfer(of: request)
        self.submissionOrder = submissionOrder
    }

    // MARK: Read-outs

    var request: UploadRequest { exchange.session.request }

    var id: UploadID { exchange.session.request.id }

    var phase: UploadPhase { exchange.lifecycle.phase }

    /// What the agent has to know of the upload between its turns.
    var view: UploadView { UploadView(exchange: exchange, transfer: transfer) }
}

// MARK: - Turns

extension AgentUpload {
    /// Takes every step that is possible now.
    mutating func doWhatItCan(_ context: inout AgentContext) -> UploadNeeds {
        // The first call notes that an answer has come. Without it, if the steps send a request of the same kind, the
        // agent would measure the wait for its answer from the earlier request.
        context.noteAnswer(owedTo: &exchange, transfer.parts)
        while runPendingRequest(&context) {}
        joinConnections(&context)
        offerReadyParts(&context)
        let isSmall = exchange.session.isSmall(context.limits)
        while isSmall || context.hasRoom, takeUpPart(&context) {}
        context.noteAnswer(owedTo: &exchange, transfer.parts)
        return UploadNeeds(of: exchange, transfer.parts, isSmall: isSmall, context.limits, now: context.now)
    }

    /// - Returns: whether the request that is due was sent, or a session was chosen for it.
    private mutating func runPendingRequest(_ context: inout AgentContext) -> Bool {
        guard let request = exchange.lifecycle.due(at: context.now) else { return false }
        if request == .open, exchange.session.needsChoice {
            guard let connection = context.connections.leastUsed(),
                let welcome = context.connections[connection]?.welcome,
                let effects = exchange.choose(by: welcome, after: transfer.attempts, now: context.now)
            else { return false }
            apply(effects, &context)
            return true
        }
        guard let place = context.takeSlot(for: id) else { return false }
        let knowsPartials = transfer.parts.knowsPartials
        apply(exchange.ask(request, in: place, transfer.parts.stored, knowsPartials: knowsPartials), &context)
        return true
    }

    private mutating func joinConnections(_ context: inout AgentContext) {
        guard exchange.lifecycle.wantsToJoin(exchange.session, transfer.parts, context.limits),
            exchange.waits.joinsAt <= context.now
        else { return }
        while let place = context.takeSlot(for: id, excluding: exchange.lifecycle.links.connections) {
            apply(exchange.join(in: place), &context)
        }
    }

    /// Ends the upload's wait for the store, or up to `most` waits of its parts; returns how many waits ended.
    mutating func stopWaitingForStore(most: Int, now: Instant) -> Int {
        if case .waiting(_, let until) = phase, exchange.waits.isForStore(until: until), until > now {
            exchange.lifecycle.stopWaiting(now: now)
            return 1
        }
        return transfer.parts.stopWaitingForStore(most: most, now: now)
    }
}

// MARK: - Events

extension AgentUpload {
    /// Begins the upload. An upload that ends as soon as it is submitted never begins.
    mutating func begin(_ context: inout AgentContext) { apply(exchange.begin(now: context.now), &context) }

    /// Drops the upload, at the user's command, while it is under way.
    mutating func dropNow(_ context: inout AgentContext) {
        apply(exchange.lifecycle.dropNow(exchange.session), &context)
    }

    /// Applies a frame in a slot of this upload. If the frame closes the slot, the agent has removed the slot already.
    /// `stage`: the stage of the slot before the frame.
    mutating func received(_ frame: Frame, at place: Attachment, stage: Stage, _ context: inout AgentContext) {
        if stage == .completing { exchange.session.receivedAfterComplete(frame) }
        if let part = transfer.received(frame, at: place, isStream: request.isStream, &context.store) {
            apply(part.result, to: part.part, &context)
        } else if case .partList(let page) = frame, let plan = exchange.session.plan {
            transfer.parts.list(page, of: plan)
            offerReadyParts(&context)
        } else {
            receivedAnswer(frame, at: place, stage: stage, &context)
        }
        apply(exchange.askAgainIfStranded(&context.clock), &context)
        context.save(&transfer.attempts, of: id)
        if transfer.isFutile, context.phase == .running, let welcome = context.connections[place.connection]?.welcome {
            apply(exchange.beginSmaller(by: welcome), &context)
        }
    }

    private mutating func receivedAnswer(
        _ frame: Frame, at place: Attachment, stage: Stage, _ context: inout AgentContext
    ) {
        if let refusal = GatewayRefusal(ofSession: frame) {
            let listsParts = !transfer.parts.stored.isEmpty
            return apply(exchange.refused(refusal, stage: stage, listsParts: listsParts, &context.clock), &context)
        }
        let site = context.connections[place.connection]?.welcome?.site
        switch frame {
        case .sessionOpened(let opened): apply(exchange.received(opened, in: place), &context)
        case .sessionExists(let exists):
            apply(exchange.received(exists, stage: stage, site: site, &context.clock), &context)
        case .resumeState(let state):
            apply(exchange.received(state, in: place, stage: stage, &context.clock), &context)
        case .partsWanted(let wanted): apply(exchange.received(wanted, in: place), &context)
        case .completed(let completed):
            let digests = transfer.digests(by: exchange.session.plan, context.cryptography)
            let effects = exchange.received(
                completed, at: place, stage: stage, site: site, digests, &context.clock)
            apply(effects, &context)
        case .aborted: apply(exchange.receivedAborted(), &context)
        default: break  // The agent passes on no other frame.
        }
    }

    /// Removes a slot that a gateway's frame has closed. The parts that were offered in it wait for another slot.
    mutating func linkClosed(_ place: Attachment, _ context: inout AgentContext) {
        exchange.lifecycle.closed(place)
        transfer.slotClosed(place, &context)
    }

    mutating func connectionLost(_ connection: ConnectionID, _ context: inout AgentContext) {
        guard exchange.lifecycle.links.contains(connection) else { return }
        let effects = exchange.connectionLost(connection, now: context.now)
        transfer.connectionLost(connection, isLast: exchange.lifecycle.links.isEmpty, &context)
        apply(effects, &context)
    }

    /// Takes a part that the shell has read, to be sent or to be verified.
    mutating func partRead(_ number: PartNumber, _ reading: PartReading, _ context: inout AgentContext) {
        if case .verifying = phase {
            let expected = transfer.parts.stored[number]?.digest
            let effects = exchange.lifecycle.verified(number, reading, expected: expected, of: &exchange.session)
            return apply(effects, &context)
        }
        apply(transfer.read(number, reading, of: exchange.session, now: context.now), to: number, &context)
    }

    /// Judges the object under the key by the file that the shell has read.
    mutating func evidenceComputed(_ reading: EvidenceReading, _ context: inout AgentContext) {
        apply(exchange.evidenceComputed(reading, &context.clock), &context)
    }

    /// Completes, verifies or ends the upload by the stamp that the shell has read again.
    mutating func fileChecked(_ result: Result<FileStamp, UploadFailure>, _ context: inout AgentContext) {
        apply(exchange.lifecycle.fileChecked(result, of: exchange.session), &context)
    }

    /// All journal writes up to this one are durable.
    mutating func journalCommitted(through sequence: JournalSequence, _ context: inout AgentContext) {
        apply(exchange.committed(through: sequence, now: context.now), &context)
    }
}
