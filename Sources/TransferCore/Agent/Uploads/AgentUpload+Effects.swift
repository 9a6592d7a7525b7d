import TransferCommon
import WireProtocol

// The upload applies what its machines have decided.

extension AgentUpload {
    mutating func apply(_ effects: [UploadEffect], _ context: inout AgentContext) {
        for effect in effects { apply(effect, &context) }
    }

    private mutating func apply(_ effect: UploadEffect, _ context: inout AgentContext) {
        switch effect {
        case .perform(let action): context.actions.append(action)
        case .ask(let request): exchange.lifecycle.wait(to: request, until: context.now)
        case .wait(let request, let moment): exchange.lifecycle.wait(to: request, until: moment)
        case .askAgain(let moment): askAgain(at: moment, &context)
        case .leave: leave(&context)
        case .record(let stamp, let partBytes):
            let row = exchange.session.record(context.clock.newSession(), stamp, partBytes: partBytes)
            var awaited = context.journal(.began(id, row), awaitedBy: id)
            // The row replaces that of an earlier session of this version, whose object may still appear.
            if exchange.session.mayStillAppear { awaited = context.journal(.mayStillAppear(id), awaitedBy: id) }
            exchange.lifecycle.record(awaited, then: .open)
        case .takeNewVersion: apply(exchange.takeNewVersion(), &context)
        case .verify(let stamp, let purpose):
            let stored = transfer.parts.stored.list.map(\.part)
            apply(exchange.lifecycle.verify(stored, stamp: stamp, for: purpose, of: &exchange.session), &context)
        case .complete:
            let root = context.cryptography.rootDigest(of: transfer.parts.stored.digests)
            apply(exchange.complete(transfer.parts.stored, root: root), &context)
        case .stored(let completed, let root, let isCompared, let place):
            var receipt = UploadReceipt(of: completed, by: exchange.session, root: root, at: exchange.site)
            receipt.signed = context.receipt(
                of: completed, isCompared: isCompared, for: exchange.session, on: place.connection)
            end(.stored(receipt, wasThere: false), &context)
        case .found(let exists, let evidence):
            transfer.apply(.found(bytes: exists.size))
            let root = evidence.root(context.cryptography)
            let receipt = UploadReceipt(of: exists, by: exchange.session, evidence, root: root, at: exchange.site)
            // If this upload wrote the object and only the answer was lost, the upload has stored it.
            end(.stored(receipt, wasThere: !exchange.session.wrote(exists)), &context)
        case .unchanged(let proof):
            transfer.apply(.found(bytes: proof.size))
            let receipt = UploadReceipt(ofUnchanged: proof, by: request, at: exchange.site)
            end(.stored(receipt, wasThere: true), &context)
        case .end(let outcome):
            // An outcome counts as progress of the run even if the file is not stored, because the gateway answers and
            // work is done.
            context.progressAt = context.now
            end(outcome, &context)
        case .report(let outcome):
            context.report(outcome, of: exchange.session, view.progress(endedBy: outcome))
        case .parts(let change): transfer.apply(change)
        case .forgetParts: forgetParts(&context)
        case .sendAgain(let wanted):
            let numbers = transfer.sendAgain(wanted)
            if !numbers.isEmpty { context.journal(.unstored(id, numbers)) }
        case .offer: offerReadyParts(&context)
        case .recheck: recheckIfWhole(&context)
        case .journal(let write): context.journal(write)
        case .journalBeforeComplete(let write):
            exchange.unsavedEntry = context.journal(write, awaitedBy: id)
        case .reportOpened:
            guard let session = exchange.session.id else { return }
            context.actions.append(.report(id, .opened(session, resumedBytes: transfer.bytesResumed)))
        case .reportWait(let refusal): context.reportWait(of: id, refusal)
        case .progress: context.progressAt = context.now
        case .storeIsWell: context.store.stored()
        }
    }

    /// When every part is stored, the shell reads the file's stamp once more before COMPLETE is sent.
    mutating func recheckIfWhole(_ context: inout AgentContext) {
        if exchange.rechecks(isWhole: transfer.isWhole(by: exchange.session.plan)) {
            context.actions.append(.checkFile(id))
        }
    }

    // MARK: Slots

    /// A slot is free again when SESSION LEFT has been read in it.
    private mutating func leave(_ context: inout AgentContext) {
        for link in exchange.lifecycle.links.all {
            context.connections[link.place.connection]?.withOpen { $0.leave(link.place.slot, of: id) }
            context.send(.sessionLeave(SessionLeave()), to: link.place)
        }
        exchange.lifecycle.closedAll()
        transfer.parts.forgetSlots { _ in true }
    }

    private mutating func askAgain(at moment: Instant, _ context: inout AgentContext) {
        let request = exchange.lifecycle.requestToRepeat(of: exchange.session)
        transfer.interrupt(&context)
        leave(&context)
        exchange.lifecycle.wait(to: request, until: moment)
        context.isRoomToBeLookedAt = true
    }

    // MARK: Ending

    /// Ends the upload. If it is being dropped because its source failed, that failure is the outcome.
    mutating func end(_ outcome: UploadOutcome, _ context: inout AgentContext) {
        let outcome = outcome == .dropped ? exchange.lifecycle.after.outcome ?? .dropped : outcome
        leave(&context)
        finish(outcome, &context)
    }

    /// Ends the upload together with the agent's connections, and keeps all its state for the next run. Sends no
    /// SESSION LEAVE, which would make the gateway drop the bytes that it has received.
    mutating func giveUp(_ failure: UploadFailure, _ context: inout AgentContext) {
        guard !phase.hasOutcome else { return }
        exchange.lifecycle.closedAll()
        finish(.failed(failure), &context)
    }

    private mutating func finish(_ outcome: UploadOutcome, _ context: inout AgentContext) {
        forgetParts(&context)
        if exchange.session.mayStillAppear(after: outcome) { context.journal(.mayStillAppear(id)) }
        exchange.lifecycle.end(outcome, recordedBy: context.journal(.finished(id, outcome), awaitedBy: id))
    }
}
