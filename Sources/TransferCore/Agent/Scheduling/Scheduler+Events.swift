import TransferCommon
import WireProtocol

// What the scheduler passes on to the uploads and proofs that an event concerns.

extension Scheduler {
    mutating func drop(_ id: UploadID, _ context: inout AgentContext) {
        uploads[id]?.dropNow(&context)
        touch(id)
    }

    /// The state of a slot, on which the agent's reaction to a frame depends (specification §6.1).
    func slotState(at place: Attachment, _ context: AgentContext) -> AgentSlotState {
        switch context.connections.state(of: place) {
        case .left: .leaving
        case .used(let id):
            uploads[id]?.exchange.lifecycle.slotState(at: place) ?? proofs[id]?.slotState(at: place) ?? .closed
        case .free, .draining, nil: .closed
        }
    }

    /// Passes a frame in a slot to the upload or proof that uses the slot, if the slot's state allows the frame.
    mutating func received(
        _ frame: Frame, _ answer: SlotAnswer, at place: Attachment, _ context: inout AgentContext
    ) {
        let effect = answer.effect(in: slotState(at: place, context))
        guard effect != .ignore else { return }
        if answer == .sessionLeft {
            context.connections[place.connection]?.withOpen { $0.left(place.slot) }
            return
        }
        guard case .used(let id) = context.connections.state(of: place) else { return }
        guard let stage = uploads[id]?.exchange.lifecycle.links.stage(at: place) else {
            // A frame that reaches a proof closes its slot.
            context.connections[place.connection]?.withOpen { $0.closed(place.slot) }
            proofs[id]?.received(frame, at: place, &context)
            removeIfEnded(proof: id, &context)
            return touch(id)
        }
        touch(id)
        if effect == .close {
            context.connections[place.connection]?.withOpen { $0.closed(place.slot) }
            uploads[id]?.linkClosed(place, &context)
        }
        uploads[id]?.received(frame, at: place, stage: stage, &context)
    }

    mutating func partRead(_ part: PartNumber, of id: UploadID, _ reading: PartReading, _ context: inout AgentContext) {
        uploads[id]?.partRead(part, reading, &context)
        touch(id)
    }

    mutating func evidenceComputed(_ reading: EvidenceReading, of id: UploadID, _ context: inout AgentContext) {
        uploads[id]?.evidenceComputed(reading, &context)
        proofs[id]?.evidenceComputed(reading, &context)
        removeIfEnded(proof: id, &context)
        touch(id)
    }

    mutating func fileChecked(
        _ result: Result<FileStamp, UploadFailure>, of id: UploadID, _ context: inout AgentContext
    ) {
        uploads[id]?.fileChecked(result, &context)
        touch(id)
    }

    /// Wakes what waited for these journal writes, and begins a proof for each upload that lacks its receipt.
    mutating func journalCommitted(through sequence: JournalSequence, _ context: inout AgentContext) {
        for id in context.committed(through: sequence) {
            uploads[id]?.journalCommitted(through: sequence, &context)
            if uploads[id]?.phase == .ended { uploads[id] = nil }
            proofs[id]?.journalCommitted(through: sequence, &context)
            removeIfEnded(proof: id, &context)
            touch(id)
        }
        let ended = context.proofsToBegin
        context.proofsToBegin = []
        for proof in ended { add(proof.request, proof.purpose, now: context.now) }
    }

    mutating func removeIfEnded(proof id: UploadID, _ context: inout AgentContext) {
        guard let proof = proofs[id], proof.phase == .ended else { return }
        proofs[id] = nil
        if context.toldOfWait == id { context.toldOfWait = nil }
        if let upload = proof.next { add(upload, refusal: context.phase.refusal, &context) }
    }
}

// MARK: - Connections that end

extension Scheduler {
    /// Ends the work on a lost connection, which has been removed, of the uploads in `left` and of proofs.
    mutating func connectionLost(_ id: ConnectionID, left: [UploadID], _ context: inout AgentContext) {
        for upload in left {
            uploads[upload]?.connectionLost(id, &context)
            touch(upload)
        }
        for proof in proofsInOrder where proofs[proof]?.isProving(on: id) == true {
            proofs[proof]?.connectionLost(id, &context)
            touch(proof)
        }
    }

    /// Gives every upload a turn, because an expected connection has failed and its share of parts is free.
    mutating func touchUploads() { for upload in uploads.keys { touch(upload) } }

    /// Whether an answer is awaited on a connection, or a part is under way on it.
    func isWorking(on id: ConnectionID, _ context: AgentContext) -> Bool {
        let carried = context.connections[id]?.opened?.slots.uploads ?? []
        return carried.contains { uploads[$0]?.view.isWorking(on: id) == true }
            || proofs.values.contains { $0.isProving(on: id) }
    }

    /// Closes a connection whose gateway has sent GO AWAY and on which nothing is under way.
    mutating func leave(_ id: ConnectionID, _ context: inout AgentContext) {
        let left = uploads(on: id, context)
        for upload in left { uploads[upload]?.connectionLost(id, &context) }
        context.connections.remove(id)
        for upload in left { _ = runTurn(of: upload, &context) }
    }
}

// MARK: - Ending

extension Scheduler {
    /// The first failure to report if the agent gives up now. A refusal comes before an owed answer: it says more.
    func trouble(_ context: AgentContext) -> UploadFailure? {
        let all =
            uploadsInOrder.compactMap { uploads[$0]?.view.trouble(context) }
            + proofsInOrder.compactMap { proofs[$0]?.trouble(context) }
        return all.first { $0.kind != .gatewayAtWork } ?? all.first
    }

    /// Ends every upload and proof, with all state kept for the next run. Unless `hidesTroubles`, an upload or proof
    /// that already waits after another failure ends with that failure.
    mutating func giveUp(_ failure: UploadFailure, hidesTroubles: Bool, _ context: inout AgentContext) {
        for id in uploadsInOrder {
            let trouble = hidesTroubles ? nil : uploads[id]?.view.trouble(context)
            uploads[id]?.giveUp(trouble ?? failure, &context)
        }
        for id in proofsInOrder {
            giveUp(proof: id, (hidesTroubles ? nil : proofs[id]?.trouble(context)) ?? failure, &context)
        }
    }

    mutating func giveUpProofs(_ failure: UploadFailure, _ context: inout AgentContext) {
        for id in proofsInOrder { giveUp(proof: id, failure, &context) }
    }

    private mutating func giveUp(proof id: UploadID, _ failure: UploadFailure, _ context: inout AgentContext) {
        proofs[id]?.giveUp(failure, &context)
        removeIfEnded(proof: id, &context)
    }

    /// Ends all uploads and proofs without a record, because the journal is lost.
    mutating func endWithoutJournal(_ failure: UploadFailure, _ context: inout AgentContext) {
        for id in uploadsInOrder {
            uploads[id]?.forgetParts(&context)
            guard let upload = uploads[id] else { continue }
            context.actions.append(.finish(id, .failed(failure), upload.view.progress))
        }
        uploads = [:]
        giveUpProofs(failure, &context)
    }

    /// Gives up the parts of a stopping agent that cannot be sent before it ends.
    mutating func withholdParts(_ failure: UploadFailure, _ context: inout AgentContext) {
        let parts = partsWithinGrace(context)
        for id in uploadsInOrder { uploads[id]?.transfer.withhold(except: parts[id] ?? [], &context) }
        giveUpProofs(failure, &context)
    }

    /// Ends the uploads that are not worth finishing while the agent stops; returns whether any is left.
    mutating func endWhatHasStopped(_ failure: UploadFailure, _ context: inout AgentContext) -> Bool {
        for id in uploadsInOrder where uploads[id]?.view.isWorthFinishing == false {
            uploads[id]?.giveUp(failure, &context)
        }
        return uploads.values.contains(where: \.view.isWorthFinishing)
    }

    private func partsWithinGrace(_ context: AgentContext) -> [UploadID: Set<PartNumber>] {
        var chosen: [UploadID: Set<PartNumber>] = [:]
        for id in context.connections.ids {
            guard let rate = context.connections[id]?.opened?.rate.bytesPerSecond else { continue }
            let rests = uploads(on: id, context).flatMap { uploads[$0]?.transfer.parts.rests(of: $0, on: id) ?? [] }
            for part in rests.finishable(rate: rate, within: context.limits.stopGrace.inSeconds) {
                chosen[part.upload, default: []].insert(part.part)
            }
        }
        return chosen
    }
}
