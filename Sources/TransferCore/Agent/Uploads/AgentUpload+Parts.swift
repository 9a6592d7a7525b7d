import TransferCommon
import WireProtocol

// What an upload does because of events of its parts (specification §7).

extension AgentUpload {
    mutating func apply(_ result: OnPart, to number: PartNumber, _ context: inout AgentContext) {
        switch result {
        case .nothing: break
        case .credit(let credit, let connection, let earlyBytes):
            if earlyBytes > 0 { context.connections[connection]?.returnCredit(earlyBytes) }
            switch credit {
            case .nothing: break
            case .send: context.connections[connection]?.add(UploadPart(upload: id, part: number))
            case .whole: partTaken(number, &context)
            }
        case .arrived(let credit, let connection):
            exchange.waits.partArrived()
            apply(.credit(credit, on: connection, earlyBytes: 0), to: number, &context)
        case .offer(let streamBytes):
            if let streamBytes, let stamp = exchange.session.streamEnded(after: streamBytes) {
                context.journal(.restamped(id, stamp))
            }
            offerReadyParts(&context)
        case .readTwice(let stamp, let bytes, let withMD5):
            exchange.session.restamped(stamp)
            context.actions.append(.readPart(id, number, start: 0, bytes: bytes, withMD5: withMD5, keep: true))
        case .readAgain:
            let mismatches = transfer.putBack(number, &context)
            if exchange.session.isOnePart { exchange.lifecycle.reopen() }
            if takeUpPart(&context) { transfer.readsAgain(number, mismatches: mismatches) }
        case .stored(let etag):
            guard let stored = transfer.store(number, etag: etag, &context) else { return }
            exchange.waits.partStored(othersAreWell: stored.othersAreWell)
            exchange.unsavedEntry = stored.entry
            recheckIfWhole(&context)
        case .defer(let refusal):
            guard let count = transfer.parts.failed(number) else { return }
            let moment = exchange.waits.partFailed(refusal, count: count, &context.clock)
            transfer.withdraw(number, notBefore: moment, waitsForStore: refusal.code.isOfStore, &context)
            if exchange.session.isOnePart { exchange.lifecycle.reopen() }
            context.reportWait(of: id, GatewayRefusal(refusal.code))
        case .end(let failure): end(.failed(failure), &context)
        case .abandon(let failure): apply(exchange.lifecycle.drop(then: .fail(failure), exchange.session), &context)
        }
    }

    /// Takes up the next part to send, or to verify, while there is room; returns whether there was one.
    mutating func takeUpPart(_ context: inout AgentContext) -> Bool {
        guard let plan = exchange.session.plan else { return false }
        if let number = exchange.lifecycle.verifyNext(concurrency: context.limits.concurrency) {
            let (start, bytes) = (plan.start(of: number), plan.bytes(of: number) ?? 0)
            context.actions.append(.readPart(id, number, start: start, bytes: bytes, withMD5: false, keep: false))
            return true
        }
        guard context.phase == .running, exchange.lifecycle.mayTakeUp(exchange.session, context.limits) else {
            return false
        }
        return transfer.takeUp(in: plan, isCounted: !exchange.session.isSmall(context.limits), &context)
    }

    /// Offers the ready parts that `SendWindow` admits, each on the connection that sends the fewest parts.
    mutating func offerReadyParts(_ context: inout AgentContext) {
        guard context.phase == .running, transfer.parts.hasReady else { return }
        var sending = transfer.parts.sendingCount
        for number in transfer.parts.numbers
        where transfer.parts.mayOffer(number, beside: sending, now: context.now) {
            let rule = OfferRule(exchange, context.limits)
            let offered = transfer.offer(number, by: rule, &context)
            if offered.isOffered { sending += 1 }
            apply(offered.part, to: number, &context)
        }
    }

    private mutating func partTaken(_ number: PartNumber, _ context: inout AgentContext) {
        let taken = transfer.allTaken(number)
        guard exchange.session.isOnePart else { return offerReadyParts(&context) }
        guard let taken, let root = context.cryptography.rootDigest(of: [taken.digest]) else { return }
        exchange.completesOnePart(in: taken.place)
        context.send(.complete(Complete(root: root, partCount: 1, size: taken.size)), to: taken.place)
    }

    // MARK: Chunks

    /// How many plain bytes of a part may be sent on a connection now.
    func sendable(_ number: PartNumber, on connection: ConnectionID, _ store: StoreTrust) -> UploadParts.Sendable {
        let mayGoEarly = store.allowsEarlyData && exchange.lifecycle.maySendEarly(exchange.session)
        return transfer.parts.sendable(number, on: connection, mayGoEarly: mayGoEarly)
    }

    /// Counts a chunk that the socket has taken, and completes a one-part file with its last byte.
    mutating func chunkTaken(_ chunk: Chunk, of offer: OfferID, _ context: inout AgentContext) {
        let isWhole = transfer.chunkTaken(chunk, of: offer, isWholeFile: exchange.session.isOnePart, &context)
        if isWhole { partTaken(chunk.part, &context) }
    }

    /// The shell could not read or compress a chunk.
    mutating func chunkFailed(
        _ chunk: Chunk, of offer: OfferID, _ failure: UploadFailure, _ context: inout AgentContext
    ) {
        if transfer.isSending(chunk.part, of: offer) { end(.failed(failure), &context) }
    }

    // MARK: Room

    /// Gives up all parts.
    mutating func forgetParts(_ context: inout AgentContext) { transfer.forget(phase.beingVerified, &context) }

    /// Makes room for other uploads while this one waits. It releases its parts, to read them again later. A stream
    /// cannot be read again, so it keeps its parts and lends the room of one.
    mutating func yieldRoom(_ context: inout AgentContext) {
        if !request.isStream { transfer.yieldRoom(&context) } else if !context.hasRoom { transfer.lendRoom(&context) }
    }
}
