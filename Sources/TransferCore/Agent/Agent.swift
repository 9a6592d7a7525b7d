package import TransferCommon
import WireProtocol

/// The agent's machine: it decides about connections and uploads, and about what is read and sent next. It has no
/// sockets, files, journal or clocks.
///
/// The shell passes one event with the time to `handle`, takes the actions from `takeActions()`, performs them in order,
/// and only then passes the next event. The machine never waits and never reads a clock. Its generator comes in at the
/// start.
package struct Agent: Hashable {
    var context: AgentContext
    var uploads: [UploadID: AgentUpload] = [:]
    /// By the same numbers as uploads, which never name one of each (`Agent+Proofs`).
    var proofs: [UploadID: AgentProof] = [:]
    var readyQueue = ReadyQueue()
    private var lastSubmissionOrder: UInt64 = 0
    var limiter: RateLimiter
    /// Which connection had the last chunk that the rate allowed.
    var lastPaced = ConnectionID(0)
    let identity: AgentIdentity
    var pins: SitePins
    private var lastConnection: UInt64 = 0
    /// The journal takes nothing more.
    var isJournalLost = false

    /// Kept in the context, because uploads need it too.
    var phase: Phase {
        get { context.phase }
        set { context.phase = newValue }
    }

    /// Whether the agent takes up work (`Agent+Stopping`).
    enum Phase: Hashable {
        case running
        /// Nothing new begins; parts and completions that are under way may end until then.
        case stopping(deadline: Instant)
        /// Every upload ends with this reason, and no connection is made.
        case ended(UploadFailure)
    }

    /// - Parameter site: where this device's objects lie, as the journal has it; `nil` where it does not know.
    package init(
        limits: AgentLimits, identity: AgentIdentity, cryptography: any AgentCryptography,
        generator: any RandomNumberGenerator & Hashable & Sendable, site: DeviceSite? = nil, now: Instant
    ) {
        self.context = AgentContext(
            limits: limits, cryptography: cryptography, generator: AgentGenerator(generator), site: site, now: now)
        self.limiter = RateLimiter(bytesPerSecond: limits.bytesPerSecond, now: now)
        self.identity = identity
        self.pins = SitePins(durable: identity.pins)
        for _ in 0..<max(limits.connections, 1) { addConnection() }
    }

    // MARK: Read-outs

    /// What is to be done, in order; taken after every event.
    package mutating func takeActions() -> [AgentAction] {
        defer { context.actions = [] }
        return context.actions
    }

    /// How many more uploads it can take up; the rest waits in the journal.
    package var room: Int { max(context.limits.sessionsMax - uploads.count - proofs.count, 0) }

    package var isIdle: Bool { uploads.isEmpty && proofs.isEmpty }

    /// Parts that count against the concurrency.
    package var partsUnderWay: Int { context.partsUnderWay }

    /// Slots that carry an upload, or whose SESSION LEFT has not been read.
    package var slotsInUse: Int {
        context.connections.values.reduce(0) { $0 + ($1.opened?.slots.openCount ?? 0) }
    }

    /// An upload's figures; `nil` once it has ended.
    package func progress(of id: UploadID) -> UploadProgress? {
        uploads[id]?.progress
    }

    // MARK: Events

    /// Handles one event.
    ///
    /// - Parameter now: the time of the event; never earlier than that of the event before.
    package mutating func handle(_ event: AgentEvent, now: Instant) {
        if case .chunkEncoded(let plainBytes, let wireBytes) = event {
            return chunkEncoded(plainBytes: plainBytes, wireBytes: wireBytes, now: now)
        }
        context.now = now
        switch event {
        case .submitted(let request): submit(request)
        case .dropped(let id): drop(id)
        case .asked(let request): prove(request)
        case .stopped: stop()
        case .connected(let id, let gateway): connected(id, by: gateway)
        case .connectionLost(let id): connectionLost(id)
        case .rejected(let failure, let id): rejected(failure, by: id)
        case .receivedFrame(let frame, let slot, let id): receivedFrame(frame, slot: slot, from: id)
        case .receivedMalformed(let code, let message, let id): receivedMalformed(code, message: message, from: id)
        case .chunkEncoded: break
        case .chunkSent(let chunk, let wireBytes): chunkSent(chunk, wireBytes: wireBytes)
        case .chunkFailed(let chunk, let failure): chunkFailed(chunk, failure)
        case .partRead(let part, let id, let reading): partRead(part, of: id, reading)
        case .evidenceComputed(let reading, let id): evidenceComputed(reading, of: id)
        case .fileChecked(let result, let id): fileChecked(result, of: id)
        case .journalCommitted(let sequence): journalCommitted(through: sequence)
        case .journalFailed(let failure): journalFailed(failure)
        case .pinsKept(let isDurable): pinsKept(isDurable)
        case .tick: tick()
        }
    }

    // MARK: Commands

    private mutating func submit(_ request: UploadRequest) {
        let refusal = refusal
        if isJournalLost, let refusal {
            // Nothing can be written down any more, not even that it has failed.
            let figures = UploadProgress(size: request.stamp?.size ?? 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
            context.actions.append(.finish(request.id, .failed(refusal), figures))
            return
        }
        if isIdle { context.progressAt = context.now }
        var upload = AgentUpload(request: request, submissionOrder: nextSubmissionOrder())
        if let refusal {
            // The next run drops it.
            if request.purpose == .abort { context.journal(.dropping(request.id)) }
            upload.end(.failed(refusal), &context)
        } else {
            upload.begin(&context)
        }
        uploads[request.id] = upload
        touch(request.id)
        proceed()
    }

    /// Uploads and proofs share one order of submission.
    mutating func nextSubmissionOrder() -> UInt64 {
        lastSubmissionOrder += 1
        return lastSubmissionOrder
    }

    private mutating func drop(_ id: UploadID) {
        uploads[id]?.dropNow(&context)
        touch(id)
        proceed()
    }

    // MARK: Connections

    /// HELLO is the first frame of a connection.
    private mutating func connected(_ id: ConnectionID, by gateway: GatewayProof?) {
        let limit = context.limits.connectLimit
        guard context.connections[id]?.established(by: gateway, within: limit, now: context.now) == true else { return }
        let hello = Hello(
            versionMin: WireLimits.version, versionMax: WireLimits.version, capabilities: identity.capabilities,
            fingerprint: identity.fingerprint, run: identity.run, pins: pins.durable, software: identity.software)
        context.actions.append(.send(id, .connection, .hello(hello)))
        if let gateway { pin(gateway.fingerprint, provedOn: id) }
    }

    private mutating func connectionLost(_ id: ConnectionID) {
        lose(id)
        proceed()
    }

    private mutating func rejected(_ failure: UploadFailure, by id: ConnectionID) {
        guard let connection = context.connections[id] else { return }
        context.actions.append(.close(id))
        lose(id)
        // On an open connection the cause is bytes that were damaged on the way; a new connection mends that.
        if connection.welcome == nil { giveUp(failure) }
        proceed()
    }

    private mutating func receivedMalformed(_ code: ErrorCode, message: String, from id: ConnectionID) {
        guard context.connections[id] != nil else { return }
        violated(id, code, message)
    }

    private mutating func violated(_ id: ConnectionID, _ code: ErrorCode, _ message: String) {
        end(id, code, message)
        giveUp(UploadFailure(.protocolViolation, "what answers at the gateway's address is no gateway (\(code.words))"))
    }

    private mutating func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID) {
        guard context.connections[id] != nil else { return }
        context.connections[id]?.heard(now: context.now)
        if slot == .connection {
            receivedConnectionFrame(frame, from: id)
        } else {
            receivedSlotFrame(frame, at: Attachment(connection: id, slot: slot))
        }
        proceed()
    }

    private mutating func receivedConnectionFrame(_ frame: Frame, from id: ConnectionID) {
        switch frame {
        case .welcome(let welcome):
            guard case .greeting = context.connections[id]?.phase else {
                return violated(id, .unexpectedFrame, "WELCOME came twice")
            }
            guard welcome.version == WireLimits.version else {
                let message = "the gateway picked version \(welcome.version), which was not offered"
                end(id, .badValue, message)
                return giveUp(UploadFailure(.versionUnsupported, message))
            }
            _ = context.connections[id]?.welcomed(welcome, now: context.now)
            if let next = welcome.nextSiteKey { pin(next, provedOn: id) }
            context.learn(welcome.site)
            // Sessions may be joined here that have been going on elsewhere.
            for id in [UploadID](uploads.keys) + proofs.keys { touch(id) }
        case .ping(let ping):
            context.actions.append(.send(id, .connection, .pong(Pong(nonce: ping.nonce))))
        case .goAway(let away):
            let deadline = context.now + .milliseconds(Int64(away.deadlineMilliseconds))
            if context.connections[id]?.toldToLeave(until: deadline) == true { addConnection() }
        case .error(let report):
            receivedConnectionError(report, from: id)
        case .pong:
            break  // That it was heard is all it says.
        default:
            violated(id, .unexpectedFrame, "a gateway does not send \(frame.type) here")
        }
    }

    private mutating func receivedConnectionError(_ report: ErrorReport, from id: ConnectionID) {
        context.actions.append(.close(id))
        lose(id, .answer, adviceMilliseconds: report.retryAfterMilliseconds)
        switch FailureRule.reaction(to: report.code, in: .connection) {
        case .report, .stop: giveUp(UploadFailure(ofConnection: report.code, message: report.message))
        case .reconnect, .tryAgain, .beginAnew, .readAgain: break
        }
    }

    /// The gateway broke the protocol: it is told, and the connection closed.
    private mutating func end(_ id: ConnectionID, _ code: ErrorCode, _ message: String) {
        let report = ErrorReport(scope: .connection, code: code, retryAfterMilliseconds: 0, message: message)
        context.actions.append(.send(id, .connection, .error(report)))
        context.actions.append(.close(id))
        lose(id)
    }

    private mutating func receivedSlotFrame(_ frame: Frame, at attachment: Attachment) {
        guard let answer = SlotAnswer(frame) else {
            let message = "a gateway does not send \(frame.type) in a slot"
            return violated(attachment.connection, .unexpectedFrame, message)
        }
        let effect = answer.effect(in: slotState(at: attachment))
        guard effect != .ignore else { return }
        if answer == .sessionLeft {
            context.connections[attachment.connection]?.withOpen { $0.left(attachment.slot) }
            return
        }
        guard let id = upload(at: attachment) else { return }
        guard let stage = uploads[id]?.lifecycle.links.stage(at: attachment) else {
            return receivedInProofSlot(frame, at: attachment, of: id)
        }
        touch(id)
        if effect == .close {
            context.connections[attachment.connection]?.withOpen { $0.closed(attachment.slot) }
            uploads[id]?.linkClosed(attachment, &context)
        }
        uploads[id]?.received(frame, at: attachment, stage: stage, &context)
        uploads[id]?.askAgainIfStranded(&context)
    }

    private func slotState(at attachment: Attachment) -> AgentSlotState {
        switch context.connections[attachment.connection]?.opened?.slots.state(of: attachment.slot) {
        case .left: .leaving
        case .used(let id):
            uploads[id]?.lifecycle.slotState(at: attachment) ?? proofState(at: attachment, of: id) ?? .closed
        case .free, .draining, nil: .closed
        }
    }

    /// The upload or proof that uses a slot.
    private func upload(at attachment: Attachment) -> UploadID? {
        context.connections[attachment.connection]?.opened?.slots.upload(in: attachment.slot)
    }

    private mutating func addConnection() {
        lastConnection += 1
        context.connections[ConnectionID(lastConnection)] = AgentConnection(awayUntil: context.now)
    }

    /// The one place where a connection's end is dealt with.
    private mutating func lose(
        _ id: ConnectionID, _ cause: RetryPolicy.Cause = .connection, adviceMilliseconds: UInt32 = 0
    ) {
        guard let connection = context.connections[id] else { return }
        let left = uploadsOn(id)
        context.connections[id] = nil
        for upload in left {
            uploads[upload]?.connectionLost(id, &context)
            touch(upload)
        }
        proofsLose(id)
        // What was kept for it goes on elsewhere.
        if connection.isComing { for upload in uploads.keys { touch(upload) } }
        if case .leaving = connection.phase { return }
        // Each connection has a number of its own, so that what arrives late for the old one finds none.
        lastConnection += 1
        let failures = connection.failures + 1
        let delay = context.retryDelay(afterFailures: failures, cause, adviceMilliseconds: adviceMilliseconds)
        context.connections[ConnectionID(lastConnection)] = AgentConnection(
            awayUntil: context.now + delay, failures: failures)
    }

    // MARK: Time

    private mutating func tick() {
        for id in context.connections.keys.sorted() { tick(connection: id) }
        switch phase {
        case .running: giveUpIfStalled()
        case .stopping(let deadline): if deadline <= context.now { stop() }
        case .ended: break
        }
        proceed()
    }

    private mutating func tick(connection id: ConnectionID) {
        switch context.connections[id]?.tick(now: context.now) {
        case .close: abandon(id)
        case .sendPing: context.actions.append(.send(id, .connection, .ping(Ping(nonce: context.now.nanoseconds))))
        case .wait, nil: break
        }
    }

    private mutating func abandon(_ id: ConnectionID) {
        context.actions.append(.close(id))
        lose(id)
    }

    private mutating func giveUpIfStalled() {
        guard !isIdle, context.progressAt + context.limits.retryFor <= context.now else { return }
        let isAnswerDue =
            uploads.values.contains { $0.awaitsAnswer(context) } || proofs.values.contains { $0.awaitsAnswer(context) }
        if isAnswerDue, context.now < context.progressAt + context.limits.answerFor { return }
        // Reading is progress that only the shell sees, and the put limit may be longer than the patience.
        guard !uploads.values.contains(where: { $0.isReading || $0.putLimit.isWaiting(at: context.now) }),
            !proofs.values.contains(where: { $0.isPatient(context) })
        else {
            context.progressAt = context.now
            return
        }
        let silent = UploadFailure(.unreachable, "the gateway could not be reached")
        for id in inOrder(uploads.keys) {
            let trouble = uploads[id]?.trouble ?? silent
            uploads[id]?.giveUp(trouble, &context)
        }
        giveUpProofs(silent, hadTrouble: true)
        context.progressAt = context.now
    }

    /// The next moment at which `tick` has something to do. What is due now and is not done waits for something else.
    package var nextDeadline: Instant? {
        guard !isIdle else { return nil }
        var deadlines: [Instant]
        switch phase {
        case .running:
            let giveUpAt = context.progressAt + context.limits.retryFor
            deadlines = [giveUpAt > context.now ? giveUpAt : context.progressAt + context.limits.answerFor]
            if let wake = readyQueue.nextWake { deadlines.append(wake) }
        case .stopping(let deadline): deadlines = [deadline]
        case .ended: return nil
        }
        for connection in context.connections.values {
            if let deadline = connection.nextDeadline(now: context.now) { deadlines.append(deadline) }
            guard limiter.bytesPerSecond != nil, connection.opened?.turns.isEmpty == false else { continue }
            let ready = limiter.readyAt(now: context.now)
            if ready > context.now { deadlines.append(ready) }
        }
        return deadlines.min().map { max($0, context.now) }
    }
}
