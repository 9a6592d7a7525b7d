package import TransferCommon
package import WireProtocol

/// The agent's machine: it decides about connections and uploads, and about what is read and sent next. It has no
/// sockets, files, journal or clocks.
///
/// The shell passes one event with the time to `handle`, takes the actions from `takeActions()`, performs them in
/// order, and only then passes the next event. The machine never waits and never reads a clock. It draws random numbers
/// from the generator that `init` takes.
package struct Agent: Hashable {
    var context: AgentContext
    var scheduler: Scheduler
    private let identity: AgentIdentity
    private var pins: SitePins

    /// The phase of the run. The context keeps it, because uploads read it, too.
    var phase: AgentPhase {
        get { context.phase }
        set { context.phase = newValue }
    }

    /// - Parameter site: this device's store and key prefix, if the journal knows them.
    package init(
        limits: AgentLimits, identity: AgentIdentity, cryptography: any AgentCryptography,
        generator: any RandomNumberGenerator & Hashable & Sendable, site: DeviceSite? = nil, now: Instant
    ) {
        self.context = AgentContext(
            limits: limits, cryptography: cryptography, generator: generator, site: site, now: now)
        self.scheduler = Scheduler(bytesPerSecond: limits.bytesPerSecond, now: now)
        self.identity = identity
        self.pins = SitePins(durable: identity.pins)
        for _ in 0..<max(limits.connections, 1) { context.connections.add(AgentConnection(awayUntil: now)) }
    }
}

// MARK: - Read-outs

extension Agent {
    /// The actions to perform, in order. The shell takes them after every event.
    package mutating func takeActions() -> [AgentAction] {
        defer { context.actions = [] }
        return context.actions
    }

    /// How many more uploads and proofs the agent can take up. The shell submits further ones when others have ended.
    package var room: Int { max(context.limits.sessionsMax - scheduler.count, 0) }

    /// Whether the agent has no upload and no proof.
    package var isIdle: Bool { scheduler.count == 0 }

    /// How many parts count against `AgentLimits.concurrency`.
    package var partsUnderWay: Int { context.partsUnderWay }

    /// How many slots carry an upload or a proof, or wait for SESSION LEFT.
    package var slotsInUse: Int { context.connections.openSlotCount }

    /// The failure with which every upload ends, once the run has ended; `nil` before.
    package var verdict: UploadFailure? { phase.verdict }

    /// An upload's figures; `nil` once it has ended.
    package func progress(of id: UploadID) -> UploadProgress? { scheduler.uploads[id]?.view.progress }

    /// The capabilities that both HELLO and WELCOME of a connection name (specification §7.3); none before WELCOME.
    package func agreedCapabilities(on id: ConnectionID) -> Capabilities {
        context.connections[id]?.welcome?.capabilities.intersection(identity.capabilities) ?? []
    }

    /// When `tick` next has something to do. Work that is due but cannot be done yet waits for another event and sets
    /// no deadline. An idle agent has deadlines too, because it keeps its connections alive.
    package var nextDeadline: Instant? {
        var next: Instant?
        switch phase {
        case .running where !isIdle:
            next = earlier(giveUpAt, scheduler.nextWake)
        case .stopping(let deadline) where !isIdle: next = deadline
        case .running, .stopping: break
        case .ended, .journalLost: return nil
        }
        next = earlier(next, context.connections.nextDeadline(scheduler.pacer, now: context.now))
        return next.map { max($0, context.now) }
    }
}

// MARK: - Events

extension Agent {
    /// Handles one event. Its time, `now`, is never earlier than that of the event before.
    package mutating func handle(_ event: AgentEvent, now: Instant) {
        if case .chunkEncoded(let plainBytes, let wireBytes) = event {
            return scheduler.chunkEncoded(plainBytes: plainBytes, wireBytes: wireBytes, now: now)
        }
        context.clock.now = now
        if apply(event) == .proceed { proceed() }
    }

    /// Whether an event may have made waiting work possible.
    private enum AfterEvent {
        case proceed
        case rest
    }

    private mutating func apply(_ event: AgentEvent) -> AfterEvent {
        switch event {
        case .submitted(let request): return submit(request)
        case .dropped(let id): scheduler.drop(id, &context)
        case .asked(let request): return ask(request)
        case .stopped: return stop()
        case .rateLimited(let bytesPerSecond):
            context.limits.bytesPerSecond = bytesPerSecond
            scheduler.limitRate(to: bytesPerSecond, now: context.now)
        case .connected(let id, let gateway): return connected(id, by: gateway)
        case .connectionLost(let id): lose(id)
        case .rejected(let failure, let id): return rejected(failure, by: id)
        case .receivedFrame(let frame, let slot, let id): return receivedFrame(frame, slot: slot, from: id)
        case .receivedMalformed(let code, let message, let id):
            if context.connections[id] != nil { violated(id, code, message) }
            return .rest
        case .chunkEncoded: return .rest
        case .chunkSent(let chunk, let wireBytes): scheduler.chunkSent(chunk, wireBytes: wireBytes, &context)
        case .chunkFailed(let chunk, let failure): scheduler.chunkFailed(chunk, failure, &context)
        case .partRead(let part, let id, let reading): scheduler.partRead(part, of: id, reading, &context)
        case .evidenceComputed(let reading, let id):
            context.progressAt = context.now
            scheduler.evidenceComputed(reading, of: id, &context)
        case .fileChecked(let result, let id): scheduler.fileChecked(result, of: id, &context)
        case .journalCommitted(let sequence): scheduler.journalCommitted(through: sequence, &context)
        case .journalFailed(let failure): return journalFailed(failure)
        case .pinsKept(let isDurable):
            if let list = pins.written(isDurable) { context.actions.append(.keepPins(list)) }
            return .rest
        case .tick: tick()
        }
        return .proceed
    }

    private mutating func proceed() {
        switch phase {
        case .running:
            connectWhereDue()
            scheduler.runTurns(&context)
            scheduler.sendChunks(&context)
            closeWhereDone()
        case .stopping:
            scheduler.sendChunks(&context)
            if !scheduler.endWhatHasStopped(.interrupted, &context) { end(.interrupted) }
        case .ended, .journalLost: break
        }
    }

    private mutating func submit(_ request: UploadRequest) -> AfterEvent {
        if case .journalLost(let failure) = phase {
            // The journal cannot be written any more, so the failure is reported without a record.
            let figures = UploadProgress(size: request.stamp?.size ?? 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
            context.actions.append(.finish(request.id, .failed(failure), figures))
            return .rest
        }
        if isIdle { context.progressAt = context.now }
        scheduler.add(request, refusal: phase.refusal, &context)
        return .proceed
    }

    private mutating func ask(_ request: ProofRequest) -> AfterEvent {
        if let refusal = phase.refusal {
            context.actions.append(.answered(request.id, .failed(refusal)))
            return .rest
        }
        if isIdle { context.progressAt = context.now }
        scheduler.add(request, .question, now: context.now)
        return .proceed
    }

    private mutating func tick() {
        for id in context.connections.ids {
            switch context.connections[id]?.tick(now: context.clock.now) {
            case .close: close(id)
            case .sendPing: context.actions.append(.send(id, .connection, .ping(Ping(nonce: context.now.nanoseconds))))
            case .wait, nil: break
            }
        }
        switch phase {
        case .running: giveUpIfStalled()
        case .stopping(let deadline): if deadline <= context.now { end(.interrupted) }
        case .ended, .journalLost: break
        }
    }
}

// MARK: - Connections

extension Agent {
    private mutating func connectWhereDue() {
        guard !isIdle else { return }
        let (limit, now) = (context.limits.connectLimit, context.now)
        for id in context.connections.ids where context.connections[id]?.connectIfDue(within: limit, now: now) == true {
            let used = context.connections.values.compactMap(\.interfaceInUse)
            let interface = InterfacePlan.choose(among: context.limits.interfaces, used: used)
            context.connections[id]?.interface = interface
            context.actions.append(.connect(id, interface: interface))
        }
    }

    private mutating func connected(_ id: ConnectionID, by gateway: GatewayProof?) -> AfterEvent {
        let limit = context.limits.connectLimit
        guard context.connections[id]?.established(by: gateway, within: limit, now: context.clock.now) == true else {
            return .rest
        }
        let hello = Hello(
            versionMin: WireLimits.version, versionMax: WireLimits.version, capabilities: identity.capabilities,
            fingerprint: identity.fingerprint, run: identity.run, pins: pins.durable, software: identity.software)
        context.actions.append(.send(id, .connection, .hello(hello)))
        if let gateway { pin(gateway.fingerprint, provedOn: id) }
        return .rest
    }

    private mutating func pin(_ key: SHA256Digest, provedOn id: ConnectionID) {
        guard let list = pins.add(key, whileProved: context.connections[id]?.gateway?.fingerprint) else { return }
        context.actions.append(.keepPins(list))
    }

    private mutating func rejected(_ failure: UploadFailure, by id: ConnectionID) -> AfterEvent {
        guard let connection = context.connections[id] else { return .rest }
        close(id)
        // After WELCOME the cause is damaged bytes, so a new connection may work. Before WELCOME, a gateway would
        // reject every further connection, too.
        if connection.welcome == nil { end(failure) }
        return .proceed
    }

    private mutating func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID) -> AfterEvent {
        guard context.connections[id] != nil else { return .rest }
        context.connections[id]?.heard(now: context.clock.now)
        if slot == .connection {
            receivedConnectionFrame(frame, from: id)
        } else if let answer = SlotAnswer(frame) {
            scheduler.received(frame, answer, at: Attachment(connection: id, slot: slot), &context)
        } else {
            violated(id, .unexpectedFrame, "a gateway does not send \(frame.type) in a slot")
        }
        return .proceed
    }

    private mutating func receivedConnectionFrame(_ frame: Frame, from id: ConnectionID) {
        switch frame {
        case .welcome(let welcome): receivedWelcome(welcome, from: id)
        case .ping(let ping): context.actions.append(.send(id, .connection, .pong(Pong(nonce: ping.nonce))))
        case .pong: break  // It shows that the gateway is alive, as any frame does.
        case .goAway(let away):
            let deadline = context.now + .milliseconds(Int64(away.deadlineMilliseconds))
            if context.connections[id]?.toldToLeave(until: deadline) == true {
                context.connections.add(AgentConnection(awayUntil: context.now))
            }
        case .error(let report):
            context.actions.append(.close(id))
            lose(id, .answer, adviceMilliseconds: report.retryAfterMilliseconds)
            switch FailureRule.reaction(to: report.code, in: .connection) {
            case .report, .stop: end(UploadFailure(ofConnection: report.code, message: report.message))
            case .reconnect, .tryAgain, .beginAnew, .readAgain: break
            }
        default: violated(id, .unexpectedFrame, "a gateway does not send \(frame.type) here")
        }
    }

    private mutating func receivedWelcome(_ welcome: Welcome, from id: ConnectionID) {
        guard case .greeting = context.connections[id]?.phase else {
            return violated(id, .unexpectedFrame, "WELCOME came twice")
        }
        guard welcome.version == WireLimits.version else {
            let message = "the gateway picked version \(welcome.version), which was not offered"
            refuse(id, .badValue, message)
            return end(UploadFailure(.versionUnsupported, message))
        }
        _ = context.connections[id]?.welcomed(welcome, now: context.clock.now)
        if let next = welcome.nextSiteKey { pin(next, provedOn: id) }
        context.learn(welcome.site)
        // Sessions that are open on other connections may use this connection, too.
        scheduler.touchAll()
    }

    /// Ends the run, because the gateway broke the protocol and would do so on a further connection, too.
    private mutating func violated(_ id: ConnectionID, _ code: ErrorCode, _ message: String) {
        refuse(id, code, message)
        end(UploadFailure(.protocolViolation, "what answers at the gateway's address is no gateway (\(code.words))"))
    }

    private mutating func refuse(_ id: ConnectionID, _ code: ErrorCode, _ message: String) {
        let report = ErrorReport(scope: .connection, code: code, retryAfterMilliseconds: 0, message: message)
        context.actions.append(.send(id, .connection, .error(report)))
        close(id)
    }

    private mutating func close(_ id: ConnectionID) {
        context.actions.append(.close(id))
        lose(id)
    }

    /// Handles the end of a connection; no other code does. A new connection replaces the lost one. If the gateway had
    /// sent GO AWAY, the new connection was added at that time.
    private mutating func lose(
        _ id: ConnectionID, _ cause: RetryPolicy.Cause = .connection, adviceMilliseconds: UInt32 = 0
    ) {
        guard let connection = context.connections[id] else { return }
        let left = scheduler.uploads(on: id, context)
        context.connections.remove(id)
        scheduler.connectionLost(id, left: left, &context)
        if connection.isComing { scheduler.touchUploads() }
        if case .leaving = connection.phase { return }
        let failures = connection.failures + 1
        let delay = context.clock.retryDelay(afterFailures: failures, cause, adviceMilliseconds: adviceMilliseconds)
        context.connections.add(AgentConnection(awayUntil: context.now + delay, failures: failures))
    }

    private mutating func closeWhereDone() {
        for id in context.connections.ids {
            guard case .leaving = context.connections[id]?.phase, !scheduler.isWorking(on: id, context) else {
                continue
            }
            context.actions.append(.close(id))
            scheduler.leave(id, &context)
        }
    }
}

// MARK: - Ending

extension Agent {
    /// Stops the run and keeps all state for the next run. Until the grace (`AgentLimits.stopGrace`) is over, the agent
    /// still sends each part that its connection can finish at the measured rate, and completes each session whose
    /// parts are all stored. A second stop ends the run at once.
    private mutating func stop() -> AfterEvent {
        switch phase {
        case .running:
            phase = .stopping(deadline: context.now + context.limits.stopGrace)
            scheduler.withholdParts(.interrupted, &context)
            return .proceed
        case .stopping: end(.interrupted)
        case .ended, .journalLost: break
        }
        return .rest
    }

    /// Ends the run: every upload ends, and its state is kept for the next run. The connections are closed without
    /// SESSION LEAVE. As after a crash, the gateway keeps the received bytes for a while (`GatewayLimits.partGrace`).
    ///
    /// - Parameter hidesTroubles: whether every upload ends with `failure`, even if it waits after another failure.
    private mutating func end(_ failure: UploadFailure, hidesTroubles: Bool = true) {
        guard verdict == nil else { return }
        phase = .ended(failure)
        scheduler.giveUp(failure, hidesTroubles: hidesTroubles, &context)
        closeConnections()
    }

    private mutating func journalFailed(_ failure: UploadFailure) -> AfterEvent {
        phase = .journalLost(failure)
        scheduler.endWithoutJournal(failure, &context)
        closeConnections()
        return .rest
    }

    private mutating func closeConnections() {
        for id in context.connections.removeAll() { context.actions.append(.close(id)) }
    }

    /// If the agent makes no progress until this moment, it checks then whether to give up.
    var giveUpAt: Instant { max(context.progressAt + context.limits.retryFor, context.patientUntil) }

    /// An unanswered request that is younger than this does not show that a gateway works on it: uploads that try again
    /// and again nearly always have a young request. So the agent checks again after this time.
    private static let patienceStep = Duration.seconds(15)

    /// Ends the whole run after too long without progress. If only the uploads under way ended, each further group of
    /// uploads would be tried for as long again, and a run with many files would take hours to end.
    private mutating func giveUpIfStalled() {
        guard !isIdle, giveUpAt <= context.now else { return }
        if let dueSince = scheduler.answerDueSince(context) {
            let end = context.endOfPatience(dueSince: dueSince)
            // After an old request, the run gets `retryFor` more, so that the upload has time for progress after a late
            // answer or a lost connection.
            let isYoung = context.now.since(dueSince) < Self.patienceStep
            let step = isYoung ? Self.patienceStep : max(Self.patienceStep, context.limits.retryFor)
            context.patientUntil = min(end, context.now + step)
            if context.now < end { return }
        }
        guard !scheduler.isBusy(context) else {
            context.progressAt = context.now
            return
        }
        guard !hasLostGateways else { return end(.noGateway) }
        end(scheduler.trouble(context) ?? .noGateway, hidesTroubles: false)
    }
}
