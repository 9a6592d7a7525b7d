import TransferCommon

// What is done next: connections made, pending requests sent, parts read, chunks sent. Called after every event.

extension Agent {
    mutating func proceed() {
        let connections = context.connections.keys.sorted()
        switch phase {
        case .running: break
        case .stopping:
            sendChunks(on: connections)
            return endWhatHasStopped()
        case .ended: return
        }
        connectWhereDue(connections)
        wakeWhatWaitsForStore()
        readyQueue.wakeDue(context.now)
        while let id = readyQueue.touched.popFirst() { _ = look(at: id) }
        // Stop at the first upload that cannot use the slot; otherwise this loop never ends.
        while context.hasFreeSlot, let id = readyQueue.awaitingSlot.popFirst() {
            if look(at: id)?.slot == true { break }
        }
        if context.isRoomToBeLookedAt { freeHeldRoom() }
        while context.partsUnderWay < context.limits.concurrency, let id = readyQueue.awaitingRoom.popFirst() {
            if look(at: id)?.room == true, context.partsUnderWay < context.limits.concurrency { break }
        }
        sendChunks(on: connections)
        closeWhereDone(connections)
    }

    /// The next proceeding looks at the upload.
    mutating func touch(_ id: UploadID) {
        guard let submissionOrder = uploads[id]?.submissionOrder ?? proofs[id]?.submissionOrder else { return }
        readyQueue.touched.insert(.init(submissionOrder: submissionOrder, upload: id))
    }

    /// Does all that an upload can do now, and queues it under what it still waits for.
    private mutating func look(at id: UploadID) -> AgentUpload.Needs? {
        guard let submissionOrder = uploads[id]?.submissionOrder ?? proofs[id]?.submissionOrder,
            let needs = uploads[id]?.doWhatItCan(&context) ?? doWhatProofCan(id)
        else { return nil }
        let ordered = ReadyQueue.OrderedUpload(submissionOrder: submissionOrder, upload: id)
        if needs.slot { readyQueue.awaitingSlot.insert(ordered) }
        if needs.room {
            readyQueue.awaitingRoom.insert(ordered)
            if needs.holdsNothing { context.isRoomToBeLookedAt = true }
        }
        if let moment = needs.wakeAt { readyQueue.wake(ordered, at: moment) }
        return needs
    }

    /// Uploads that wait for a slot, or for their next attempt, keep the parts that they have read. Where they hold all
    /// the room, uploads with a slot could never take up a part: then the waiting uploads release theirs.
    private mutating func freeHeldRoom() {
        context.isRoomToBeLookedAt = false
        guard context.partsUnderWay >= context.limits.concurrency, !readyQueue.awaitingRoom.isEmpty else { return }
        let holding = uploads.values.filter { upload in upload.parts.values.contains(where: \.isCounted) }
        guard holding.allSatisfy(\.isWaiting) else { return }
        for id in inOrder(holding.map(\.id)) { uploads[id]?.yieldRoom(&context) }
    }

    private mutating func connectWhereDue(_ connections: [ConnectionID]) {
        guard !isIdle else { return }
        let (limit, now) = (context.limits.connectLimit, context.now)
        for id in connections {
            if context.connections[id]?.connectIfDue(within: limit, now: now) == true {
                context.actions.append(.connect(id))
            }
        }
    }

    /// Chunks of the parts on each connection, in turn, until its socket has enough or nothing may go.
    mutating func sendChunks(on connections: [ConnectionID]) {
        guard limiter.bytesPerSecond != nil else {
            for id in connections { while sendChunk(on: id) {} }
            return
        }
        // Where the rate is short, the connections share it: a chunk of each, from where it went on last.
        var index = connections.firstIndex { lastPaced < $0 } ?? 0
        var idleCount = 0
        while idleCount < connections.count {
            let id = connections[index]
            if sendChunk(on: id) {
                lastPaced = id
                idleCount = 0
            } else {
                idleCount += 1
            }
            index = (index + 1) % connections.count
        }
    }

    /// - Returns: whether there was one.
    private mutating func sendChunk(on id: ConnectionID) -> Bool {
        let limits = context.limits
        while limiter.readyAt(now: context.now) <= context.now,
            let turn = context.connections[id]?.withOpen({ $0.takeNext(limits) }) ?? nil
        {
            let next = turn.part
            let bytes = min(uploads[next.upload]?.sendable(next.part, on: id, context) ?? 0, turn.bytesMax)
            guard bytes > 0 else {
                // A decided part gets its next turn when its limit rises, an undecided one when credit is returned.
                if uploads[next.upload]?.waitsForCredit(next.part, on: id, context) == true {
                    context.connections[id]?.withOpen { $0.changeTurns { $0.awaitCredit(next) } }
                }
                continue
            }
            context.connections[id]?.withOpen { $0.changeTurns { $0.putLast(next) } }
            uploads[next.upload]?.sendChunk(next.part, bytes: bytes, &context)
            // Compression may make the chunk smaller. Until its size is known, no connection sends what the chunk may need.
            limiter.spent(bytes, now: context.now)
            return true
        }
        return false
    }

    /// A connection that was told to go away is closed when nothing is under way on it.
    private mutating func closeWhereDone(_ connections: [ConnectionID]) {
        for id in connections {
            guard case .leaving = context.connections[id]?.phase,
                !uploadsOn(id).contains(where: { uploads[$0]?.isWorking(on: id) == true }),
                !proofs.values.contains(where: { $0.isProving(on: id) })
            else { continue }
            context.actions.append(.close(id))
            let left = uploadsOn(id)
            for upload in left { uploads[upload]?.connectionLost(id, &context) }
            context.connections[id] = nil
            for upload in left {
                _ = look(at: upload)
            }
        }
    }

    /// The uploads with a slot on a connection, in order.
    func uploadsOn(_ id: ConnectionID) -> [UploadID] {
        inOrder(context.connections[id]?.opened?.slots.uploads ?? [])
    }

    /// The uploads of these ids, in the order of submission.
    func inOrder(_ ids: some Sequence<UploadID>) -> [UploadID] {
        ids.compactMap { id in
            uploads[id].map { ReadyQueue.OrderedUpload(submissionOrder: $0.submissionOrder, upload: id) }
        }.sorted().map(\.upload)
    }
}

extension AgentUpload {
    /// What an upload waits for that no answer brings.
    struct Needs: Hashable {
        var slot = false
        var room = false
        /// It has no part, read or being read.
        var holdsNothing = false
        var wakeAt: Instant?

        mutating func wake(at moment: Instant, _ context: AgentContext) {
            guard moment > context.now else { return }
            wakeAt = wakeAt.map { min($0, moment) } ?? moment
        }
    }

    /// Does all that it can do now.
    mutating func doWhatItCan(_ context: inout AgentContext) -> Needs {
        while runPendingRequest(&context) {}
        joinConnections(&context)
        offerReadyParts(&context)
        takeUpParts(&context)
        return needs(context)
    }

    private mutating func takeUpParts(_ context: inout AgentContext) {
        if isSmall(context) {
            while takeUpPart(&context) {}
        } else {
            while context.partsUnderWay < context.limits.concurrency, takeUpPart(&context) {}
        }
    }

    private func needs(_ context: AgentContext) -> Needs {
        var needs = Needs(holdsNothing: parts.isEmpty)
        for part in parts.values {
            if case .ready(_, let notBefore, _) = part.state { needs.wake(at: notBefore, context) }
        }
        if wantsToJoin(context) { needs.wake(at: joinsAt, context) }
        if case .waiting(_, let until) = phase {
            needs.wake(at: until, context)
            needs.slot = until <= context.now
        }
        needs.room = !isSmall(context) && wantsPart(context)
        return needs
    }

    /// Whether another part would be read if there were room for it.
    private func wantsPart(_ context: AgentContext) -> Bool {
        if case .verifying(let verification) = phase {
            return verification.next(concurrency: context.limits.concurrency) != nil
        }
        guard phase == .transferring || mayOfferEarly(context), !named.awaitsList else { return false }
        return queue.hasNext(in: plan, isReading: isReadingPart)
    }

    private func wantsToJoin(_ context: AgentContext) -> Bool {
        phase == .transferring && context.limits.connections > 1 && !token.isEmpty && plan?.isOnePart == false
            && hasUnsentParts
    }

    /// Joins further connections to a session that has more than one part to send.
    mutating func joinConnections(_ context: inout AgentContext) {
        guard wantsToJoin(context), joinsAt <= context.now else { return }
        while true {
            let taken = Set(links.map(\.attachment.connection))
            guard let connection = context.leastUsedConnection(excluding: taken),
                let slot = context.connections[connection]?.takeSlot(for: id)
            else { return }
            let attachment = Attachment(connection: connection, slot: slot)
            links.append(Link(attachment: attachment, stage: .resuming))
            sendResumeQuery(to: attachment, joining: true, &context)
        }
    }

    /// Where a part is offered: on the connection that has the fewest of this upload, then of all.
    func placeForOffer(of number: PartNumber, _ context: AgentContext) -> Attachment? {
        let (early, limits) = (mayOfferEarly(context), context.limits)
        return links.filter { link in
            guard link.stage == .open || early && link.isUnanswered && partsSending(on: link) < limits.offersAheadMax,
                let connection = context.connections[link.attachment.connection], connection.isOpen
            else { return false }
            // The gateway would take queued chunks of an earlier offer for chunks of this one.
            return !connection.hasQueued(UploadPart(upload: id, part: number)) && hasShareLeft(link, context)
        }
        .min { left, right in
            let load = { (link: Link) in
                let carried = context.connections[link.attachment.connection]?.opened?.turns.sending.count ?? 0
                return (partsSending(on: link), carried, link.attachment.connection)
            }
            return load(left) < load(right)
        }?.attachment
    }

    /// While further connections are made or joined, whoever is there already leaves them their share: a part stays
    /// where it was offered, and four of them may be all that there is for minutes.
    private func hasShareLeft(_ link: Link, _ context: AgentContext) -> Bool {
        guard context.limits.connections > 1, plan?.isOnePart == false else { return true }
        var coming = links.count { $0.stage == .resuming } + context.connections.values.count(where: \.isComing)
        // Those that join as soon as the query has been answered.
        if phase == .resuming {
            let taken = Set(links.map(\.attachment.connection))
            coming += context.connections.count { !taken.contains($0.key) && $0.value.isOpen && $0.value.hasFreeSlot }
        }
        guard coming > 0 else { return true }
        let all = coming + links.count { $0.stage != .resuming }
        let share = (context.limits.concurrency + all - 1) / all
        return partsSending(on: link) < share
    }

    /// A part that waits for credit is not carried just then, and stays where it is.
    private func partsSending(on link: Link) -> Int {
        parts.values.count { $0.isSending && $0.place == link.attachment }
    }

    private var hasUnsentParts: Bool {
        if queue.hasNext(in: plan, isReading: isReadingPart) { return true }
        let isReady = parts.values.contains(where: \.isReady)
        // Parts that were taken up ahead of the answer to a query are still being read when it comes.
        return isReady || parts.values.count(where: \.isReading) > 1
    }

    /// Whether an answer or a part is still awaited on a connection.
    func isWorking(on connection: ConnectionID) -> Bool {
        links.contains { $0.attachment.connection == connection && $0.stage != .open }
            || parts.values.contains { $0.place?.connection == connection }
    }

    /// Whether a gateway that is connected owes an answer. It may be looking for an object for minutes.
    func awaitsAnswer(_ context: AgentContext) -> Bool {
        switch phase {
        case .opening, .resuming, .completing, .aborting:
            links.contains { context.connections[$0.attachment.connection]?.isOpen == true }
        default: false
        }
    }

    var isWaiting: Bool {
        guard case .waiting = phase else { return false }
        return true
    }

    /// Whether the shell is reading for it; that is progress which only the shell sees.
    var isReading: Bool {
        switch phase {
        case .comparing, .rechecking: true
        case .verifying(let verification): !verification.beingRead.isEmpty
        default: isReadingPart
        }
    }

    /// Ends with everything kept.
    mutating func giveUp(_ failure: UploadFailure, _ context: inout AgentContext) {
        switch phase {
        case .ending, .ended: break
        default: end(.failed(failure), &context)
        }
    }
}

extension AgentUpload {
    /// The user drops it while it is under way.
    mutating func dropNow(_ context: inout AgentContext) {
        guard !isDropping else { return }
        switch phase {
        case .ending, .ended:
            break
        case .aborting:
            // An older version is being dropped already; now nothing follows it.
            isDropping = true
            context.journal(.dropping(id))
        default:
            drop(&context)
        }
    }
}
