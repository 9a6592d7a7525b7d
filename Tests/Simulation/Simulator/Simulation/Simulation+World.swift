import TransferCommon
package import TransferCore
package import TransferCoreSupport
package import WireProtocol

// The hosts' environment: durations, links, disks and observation.

extension Simulation: HostWorld {
    // MARK: Network

    package func latency(of wire: Wire, _ direction: Wire.Direction) -> Duration {
        let jitter = scenario.nature.jitterMilliseconds
        let extra = jitter > 0 ? dice.network.number(0...jitter * 1_000) : 0
        return .microseconds(Int64(scenario.nature.latencyMilliseconds * 1_000 + extra))
    }

    package func connect(_ id: ConnectionID, from agent: AgentHost) -> Wire? {
        guard schedule.now >= outageUntil else { return nil }
        disturbances[agent.number] += 1
        let up = gateways.filter { !$0.isDown }
        guard !up.isEmpty else { return nil }
        // A load balancer chooses among the gateways that are up.
        let wanted = scenario.nature.isSticky ? agent.number % up.count : dice.network.number(0...up.count - 1)
        let gateway = up[wanted]
        note(3, UInt64(agent.number), id.value, "agent \(agent.number) reaches gateway \(gateway.number)")
        return gateway.accept { Wire(id: id, gatewayID: $0, gateway: gateway, agent: agent) }
    }

    package func arrival(of byteCount: Int, on wire: Wire, _ direction: Wire.Direction) -> Arrival {
        counts.arrivals += 1
        note(
            4, UInt64(byteCount), wire.gatewayID.value,
            "\(byteCount) bytes arrive \(direction) on \(wire.gatewayID.value)")
        for fault in take(.arrival(counts.arrivals)) {
            switch fault {
            case .ends(let ending, let percent):
                disturbances[wire.agent?.number ?? 0] += 1
                return Arrival(pieces: [byteCount * percent / 100], ending: ending)
            case .stalls(let milliseconds):
                wire.stall(.milliseconds(milliseconds))
            default:
                apply(fault)
            }
        }
        guard scenario.nature.splitPercent > 0, dice.network.percent(scenario.nature.splitPercent) else {
            return Arrival(pieces: [byteCount])
        }
        var (pieces, left) = ([Int](), byteCount)
        while left > 0 {
            pieces.append(pieces.count < 6 ? dice.network.number(1...left) : left)
            left -= pieces.last ?? 0
        }
        return Arrival(pieces: pieces)
    }

    // MARK: The agent's process and disk

    package func duration(of work: AgentWork, at agent: AgentHost) -> Duration {
        switch work {
        case .connecting: return .milliseconds(scenario.nature.latencyMilliseconds * 2)
        case .reading: return .microseconds(Int64(dice.disk.number(500...3_000)))
        case .committing: return .microseconds(Int64(dice.disk.number(1_000...8_000)))
        case .sending(let wireBytes):
            guard let rate = scenario.nature.linkBytesPerSecond else { return .microseconds(1) }
            return .nanoseconds(Int64(wireBytes * 1_000_000_000 / rate))
        }
    }

    package func file(of upload: UploadID, at agent: AgentHost) -> VirtualFile? { jobs[job(upload)].file }

    package func reading(_ upload: UploadID, reaches moment: ReadMoment, at agent: AgentHost) -> UploadFailure? {
        counts.readMoments += 1
        var failure: UploadFailure?
        for fault in take(.readMoment(counts.readMoments)) + take(.everyRead) {
            if fault == .readFails {
                failure = UploadFailure(.unreadable, "the disk gives an error")
                jobs[job(upload)].readHasFailed = true
            } else {
                apply(fault)
            }
        }
        if jobs[job(upload)].file.isMissing, moment == .start {
            // A missing file fails only when it is opened. A file that is already open can still be read.
            return failure ?? UploadFailure(.missing, "there is no such file")
        }
        return failure
    }

    package func commit(_ writes: [JournalWrite], of agent: AgentHost) -> UploadFailure? {
        counts.commits += 1
        for fault in take(.commit(counts.commits)) + take(.everyCommit) {
            if fault == .journalFails { return UploadFailure(.journalFull, "the disk is full") }
        }
        for write in writes {
            note(5, UInt64(agent.number), UInt64(counts.commits), "agent \(agent.number) journals \(brief(write))")
            journals[agent.number].apply(write)
            monitor.committed(write, agent: agent.number)
            checkReceipt(in: write, agent: agent.number)
            // With this write the agent gives up a stream. Note this here, because the agent's process may end before
            // it reports the reason.
            if case .dropping(let id) = write, jobs[job(id)].isStream { jobs[job(id)].isAbandoned = true }
            if case .began(let id, let saved) = write {
                jobs[job(id)].sessionsBegun += 1
                jobs[job(id)].partBytesMost = max(jobs[job(id)].partBytesMost, saved.partBytes)
            }
        }
        return nil
    }

    private func brief(_ write: JournalWrite) -> String {
        switch write {
        case .began(let id, let saved): "began \(id.value) \(saved.session)"
        case .token(let id, _): "token \(id.value)"
        case .stored(let id, let entry): "stored \(id.value) part \(entry.part)"
        case .finished(let id, let outcome): "finished \(id.value) \(brief(outcome))"
        default: "\(write)"
        }
    }

    /// A short description of an outcome, for traces and messages.
    func brief(_ outcome: UploadOutcome) -> String {
        switch outcome {
        case .stored(_, let wasThere): wasThere ? "found there" : "stored"
        case .dropped: "dropped"
        case .failed(let failure): "failed: \(failure.kind) \(failure.message)"
        }
    }

    package func acted(_ agent: AgentHost) {
        operated()
        for fault in take(.agentAction(agent.number, agent.actionCount)) { apply(fault) }
    }

    package func committed(_ agent: AgentHost) { operated() }

    package func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from agent: AgentHost) {
        monitor.sends(frame, agent: agent.number, journal: journals[agent.number])
        noteTerms(frame, slot: slot, on: id, from: agent)
    }

    package func sendsChunk(
        _ header: PartDataHeader, of upload: UploadID, on connection: ConnectionID, wireBytes: UInt64,
        from agent: AgentHost
    ) {
        jobs[job(upload)].bytesSent += UInt64(header.plainBytes)
        monitor.sendsChunk(header.part, of: upload, agent: agent.number)
    }

    package func delivered(_ frame: Frame, to agent: AgentHost) {
        monitor.delivered(frame, agent: agent.number)
        switch frame {
        case .error, .sessionRefused, .partsWanted, .sessionExists, .resumeState, .goAway:
            disturbances[agent.number] += 1
        case .partDecision(let decision):
            if case .later = decision.decision { disturbances[agent.number] += 1 }
        default:
            break
        }
    }

    package func delivered(_ frame: Frame, slot: Slot, on id: ConnectionID, to agent: AgentHost) {
        guard case .sessionOpened(let opened) = frame, opened.isAdopted else { return }
        monitor.adopted(opened.session, by: agent.number)
        terms.noteSession(opened.session, slot, of: id, agent: agent.number)
    }

    package func finished(_ upload: UploadID, _ outcome: UploadOutcome, at agent: AgentHost) {
        note(6, UInt64(upload.value), UInt64(agent.number), "upload \(upload.value) \(brief(outcome))")
        uploadEnded(upload, outcome, agent: agent.number)
    }

    // MARK: Gateways

    package func acted(_ gateway: GatewayHost) {
        operated()
        checkDeviceLimits(of: gateway)
        gatewayActions[gateway.number] += 1
        for fault in take(.gatewayAction(gateway.number, gatewayActions[gateway.number])) { apply(fault) }
    }

    package func received(_ frame: Frame, slot: Slot, on id: ConnectionID, at gateway: GatewayHost) {
        note(7, id.value, UInt64(frame.type.rawValue), "A→G\(gateway.number) \(id.value)/\(slot) \(brief(frame))")
        monitor.received(frame, slot: slot, on: id, gateway: gateway.number)
        if scenario.hasReceipts { planProve(after: frame, on: id, at: gateway) }
        if case .complete = frame, let session = monitor.session(in: slot, of: id, at: gateway.number) {
            terms.completedAt[session] = schedule.now
        }
    }

    package func tookData(from id: ConnectionID, at gateway: GatewayHost) {
        monitor.tookData(from: id, gateway: gateway.number)
    }

    package func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from gateway: GatewayHost) {
        note(8, id.value, UInt64(frame.type.rawValue), "G\(gateway.number)→A \(id.value)/\(slot) \(brief(frame))")
        monitor.sends(frame, slot: slot, on: id, gateway: gateway.number)
        checkReceipt(in: frame, slot: slot, on: id, at: gateway)
        countResumption(frame)
    }

    package func requests(_ request: StoreRequest, at gateway: GatewayHost) {
        note(9, UInt64(gateway.number), request.kind.number, "G\(gateway.number)→S \(brief(request))")
        monitor.requests(request)
    }

    package func answered(_ answer: StoreAnswer, to request: StoreRequest, at gateway: GatewayHost) {
        note(10, UInt64(gateway.number), request.kind.number, "S→G\(gateway.number) \(request.kind) \(answer)")
        monitor.answered(answer, to: request)
        guard let condition = request.condition, condition != .none, case .failed(let failure) = answer else { return }
        if failure == .keyTaken || failure == .objectGone { count("a condition did not hold") }
    }

    // MARK: Trace

    /// Adds a line to the trace. The text is built only if the trace keeps lines.
    func note(_ code: UInt64, _ first: UInt64, _ second: UInt64, _ text: @autoclosure () -> String) {
        trace.note(schedule.now, code, first, second, text: text())
    }

    private func operated() {
        operations += 1
        for fault in take(.operation(operations)) { apply(fault) }
    }

    private func brief(_ frame: Frame) -> String {
        switch frame {
        case .sessionOpen(let open): "sessionOpen \(open.session) \(brief(open))"
        case .partOffer(let offer): "partOffer \(offer.part)"
        case .partDecision(let decision): "partDecision \(decision.part) \(decision.decision)"
        case .stored(let stored): "stored \(stored.part)"
        case .error(let report): "error \(report.scope) \(report.code.name)"
        case .resumeState(let state): "resumeState \(state.phase) wanted \(state.wanted)"
        case .sessionRefused(let refused): "sessionRefused \(refused.code.name)"
        case .partsWanted(let wanted): "partsWanted \(wanted.parts)"
        default: "\(frame.type)"
        }
    }

    private func brief(_ open: SessionOpen) -> String {
        do {
            let terms = try open.terms
            return "\(terms.key) \(terms.condition)"
        } catch {
            return "\(error)"
        }
    }

    private func brief(_ request: StoreRequest) -> String {
        switch request {
        case .storePart(_, let upload, let part, _): "storePart \(upload) \(part)"
        case .complete(let key, let upload, let parts, _, _): "complete \(key) \(upload) \(parts.count) parts"
        case .writeRecord(let facts): "writeRecord \(facts.session) \(facts.upload ?? "-")"
        case .createUpload(let key, let metadata): "createUpload \(key) \(metadata.session)"
        case .listParts(_, let upload), .abort(_, let upload): "\(request.kind) \(upload)"
        default: "\(request.kind)"
        }
    }
}

extension StoreRequestKind {
    var number: UInt64 { UInt64(StoreRequestKind.allCases.firstIndex(of: self) ?? 0) }
}
