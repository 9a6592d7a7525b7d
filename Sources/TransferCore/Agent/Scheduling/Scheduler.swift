import TransferCommon
import WireProtocol

/// The uploads and proofs of an agent: which of them has the next turn, and which connection sends the next chunk.
///
/// `ReadyQueue` says which uploads an event concerns, `ChunkPacer` which connection's turn it is. In its turn, an
/// upload takes every step that is possible, and then joins the queue for what its next step needs.
struct Scheduler: Hashable {
    var uploads: [UploadID: AgentUpload] = [:]
    /// An upload that ended without its receipt becomes a proof and keeps its id. No id is in both tables.
    var proofs: [UploadID: AgentProof] = [:]
    private var queue = ReadyQueue()
    private(set) var pacer: ChunkPacer
    /// Uploads and proofs share one order of submission.
    private var lastSubmissionOrder: UInt64 = 0

    init(bytesPerSecond: UInt64?, now: Instant) {
        self.pacer = ChunkPacer(bytesPerSecond: bytesPerSecond, now: now)
    }

    mutating func limitRate(to bytesPerSecond: UInt64?, now: Instant) {
        pacer.limit(to: bytesPerSecond, now: now)
    }

    // MARK: Read-outs

    var count: Int { uploads.count + proofs.count }

    /// When the next upload is to have a turn.
    var nextWake: Instant? { queue.nextWake }

    /// When the newest overdue answer became due, of those that a gateway may still give; `nil` if none is overdue.
    func answerDueSince(_ context: AgentContext) -> Instant? {
        (uploads.values.lazy.compactMap { $0.view.answerDueSince(context) }
            + proofs.values.lazy.compactMap { $0.answerDueSince(context) }).max()
    }

    /// Whether work is under way whose progress no frame shows, so that the agent must not give up: a file or an
    /// object is read, or an upload waits for the put limit, which may be longer than `AgentLimits.retryFor`.
    func isBusy(_ context: AgentContext) -> Bool {
        uploads.values.contains { $0.view.isBusy(at: context.now) } || proofs.values.contains { $0.isPatient(context) }
    }

    /// The uploads with a slot on a connection, in the order of submission.
    func uploads(on connection: ConnectionID, _ context: AgentContext) -> [UploadID] {
        inOrder(context.connections[connection]?.opened?.slots.uploads ?? [])
    }

    /// All uploads in the order of submission.
    var uploadsInOrder: [UploadID] { inOrder(uploads.keys) }

    private func inOrder(_ ids: some Sequence<UploadID>) -> [UploadID] {
        ids.compactMap { id in
            uploads[id].map { ReadyQueue.OrderedUpload(submissionOrder: $0.submissionOrder, upload: id) }
        }.sorted().map(\.upload)
    }

    var proofsInOrder: [UploadID] {
        proofs.values.sorted { $0.submissionOrder < $1.submissionOrder }.map(\.request.id)
    }

    // MARK: Adding

    /// - Parameter refusal: why the upload cannot begin, so that it ends at once; `nil` if it can begin.
    mutating func add(_ request: UploadRequest, refusal: UploadFailure?, _ context: inout AgentContext) {
        lastSubmissionOrder += 1
        var upload = AgentUpload(request: request, submissionOrder: lastSubmissionOrder, limits: context.limits)
        if let refusal {
            // This run cannot drop the upload any more, so the next run drops it.
            if request.purpose == .abort { context.journal(.dropping(request.id)) }
            upload.end(.failed(refusal), &context)
        } else {
            upload.begin(&context)
        }
        uploads[request.id] = upload
        touch(request.id)
    }

    mutating func add(_ request: ProofRequest, _ purpose: AgentProof.Purpose, now: Instant) {
        lastSubmissionOrder += 1
        proofs[request.id] = AgentProof(
            request, purpose: purpose, submissionOrder: lastSubmissionOrder, now: now)
        touch(request.id)
    }

    /// Gives the upload or proof a turn after this event.
    mutating func touch(_ id: UploadID) {
        guard let submissionOrder = uploads[id]?.submissionOrder ?? proofs[id]?.submissionOrder else { return }
        queue.touched.insert(.init(submissionOrder: submissionOrder, upload: id))
    }

    /// Gives every upload and proof a turn after this event.
    mutating func touchAll() {
        for id in [UploadID](uploads.keys) + proofs.keys { touch(id) }
    }
}

// MARK: - Turns

extension Scheduler {
    /// Gives a turn to all uploads and proofs that the event concerns.
    mutating func runTurns(_ context: inout AgentContext) {
        wakeWhatWaitsForStore(&context)
        queue.wakeDue(context.now)
        while let id = queue.touched.popFirst() { _ = runTurn(of: id, &context) }
        // Stop at the first upload that cannot use the slot; otherwise this loop never ends.
        while context.connections.hasFreeSlot, let id = queue.awaitingSlot.popFirst() {
            if runTurn(of: id, &context)?.slot == true { break }
        }
        if context.isRoomToBeLookedAt { freeHeldRoom(&context) }
        while context.hasRoom, let id = queue.awaitingRoom.popFirst() {
            if runTurn(of: id, &context)?.room == true, context.hasRoom { break }
        }
    }

    /// Lets an upload or a proof take every possible step, and queues it for what its next step needs.
    mutating func runTurn(of id: UploadID, _ context: inout AgentContext) -> UploadNeeds? {
        guard let submissionOrder = uploads[id]?.submissionOrder ?? proofs[id]?.submissionOrder,
            let needs = uploads[id]?.doWhatItCan(&context) ?? runTurn(ofProof: id, &context)
        else { return nil }
        let ordered = ReadyQueue.OrderedUpload(submissionOrder: submissionOrder, upload: id)
        if needs.slot { queue.awaitingSlot.insert(ordered) }
        if needs.room {
            queue.awaitingRoom.insert(ordered)
            if needs.holdsNothing { context.isRoomToBeLookedAt = true }
        }
        if let moment = needs.wakeAt { queue.wake(ordered, at: moment) }
        return needs
    }

    private mutating func runTurn(ofProof id: UploadID, _ context: inout AgentContext) -> UploadNeeds? {
        let needs = proofs[id]?.doWhatItCan(&context)
        removeIfEnded(proof: id, &context)
        return needs
    }

    /// Waiting uploads keep the parts that they have read. If these parts use up the concurrency, uploads that have a
    /// slot can never take up a part, so the waiting uploads release them.
    private mutating func freeHeldRoom(_ context: inout AgentContext) {
        context.isRoomToBeLookedAt = false
        guard !context.hasRoom, !queue.awaitingRoom.isEmpty else { return }
        let holding = uploads.values.filter(\.transfer.parts.holdsRoom)
        guard holding.allSatisfy(\.phase.isWaiting) else { return }
        for id in inOrder(holding.map(\.id)) { uploads[id]?.yieldRoom(&context) }
    }

    private mutating func wakeWhatWaitsForStore(_ context: inout AgentContext) {
        var left = context.store.takeWakes()
        guard left > 0 else { return }
        for id in uploadsInOrder where left > 0 {
            let count = uploads[id]?.stopWaitingForStore(most: left, now: context.now) ?? 0
            if count > 0 { touch(id) }
            left -= count
        }
    }
}

// MARK: - Chunks

extension Scheduler {
    /// Sends chunks on each connection until its socket has enough or no part may send.
    mutating func sendChunks(_ context: inout AgentContext) {
        let connections = context.connections.ids
        guard pacer.isLimited else {
            for id in connections { while sendChunk(on: id, &context) {} }
            return
        }
        var round = pacer.round(of: connections)
        while let id = round.next { round.tookTurn(hasSent: sendChunk(on: id, &context)) }
    }

    /// - Returns: whether a chunk was sent.
    private mutating func sendChunk(on id: ConnectionID, _ context: inout AgentContext) -> Bool {
        let limits = context.limits
        while pacer.maySend(at: context.now),
            let turn = context.connections[id]?.withOpen({ $0.takeNext(limits) }) ?? nil
        {
            let part = turn.part
            var bytes: UInt64 = 0
            switch uploads[part.upload]?.sendable(part.part, on: id, context.store) {
            case .decided(let count): bytes = min(count, turn.bytesMax)
            case .undecided(let count):
                bytes = min(count, context.connections[id]?.opened?.creditLeft ?? 0, turn.bytesMax)
                // A decided part gets its next turn when its limit rises, an undecided one when credit is returned.
                if bytes == 0 { context.connections[id]?.withOpen { $0.turns.awaitCredit(part) } }
            case .nothing, nil: break
            }
            guard bytes > 0 else { continue }
            context.connections[id]?.withOpen { $0.turns.putLast(part) }
            uploads[part.upload]?.transfer.sendChunk(part.part, bytes: bytes, &context)
            pacer.sent(bytes, on: id, now: context.now)
            return true
        }
        return false
    }

    /// Counts the frame against the rate. Leaves the machine's time as it is, because nothing else changes.
    mutating func chunkEncoded(plainBytes: UInt32, wireBytes: UInt64, now: Instant) {
        pacer.encoded(plainBytes: plainBytes, wireBytes: wireBytes, now: now)
    }

    mutating func chunkSent(_ chunk: Chunk, wireBytes: UInt64, _ context: inout AgentContext) {
        let now = context.now
        let queued = context.connections[chunk.connection]?.withOpen { open in
            open.taken(wireBytes: wireBytes, now: now)
            return open.removed(chunk)
        }
        if let queued = queued ?? nil {
            uploads[chunk.upload]?.chunkTaken(chunk, of: queued.offer, &context)
        }
        touch(chunk.upload)
    }

    /// Ends the upload, unless the chunk belongs to an earlier attempt of its part.
    mutating func chunkFailed(_ chunk: Chunk, _ failure: UploadFailure, _ context: inout AgentContext) {
        let queued = context.connections[chunk.connection]?.withOpen { $0.removed(chunk) } ?? nil
        pacer.failed(plainBytes: chunk.plainBytes, now: context.now)
        if let queued { uploads[chunk.upload]?.chunkFailed(chunk, of: queued.offer, failure, &context) }
        touch(chunk.upload)
    }
}
