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
        guard holding.allSatisfy(\.lifecycle.isWaiting) else { return }
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
