import NIOCore
package import TransferCommon
package import TransferCore
package import WireProtocol

/// Takes the place of an agent's shell in a simulation: performs the machine's actions without sockets and disks.
package final class AgentHost {
    private struct End {
        var wire: Wire?
        var decoder = FrameDecoder(receiver: .agent)
        var chunks: [Chunk] = []
        var isPumping = false
        var openedAt: Instant?
        var heardAt: Instant?
    }

    struct PartKey: Hashable {
        var upload: UploadID
        var part: PartNumber
    }

    package internal(set) var machine: Agent
    /// The agent's number in its simulation.
    package let number: Int
    private let makeMachine: (Instant) -> Agent
    unowned let world: any HostWorld
    private var ends: [ConnectionID: End] = [:]
    private var lostConnectionAt: Instant?
    /// The connections as they were when the agent ended its run, before it closed them.
    private var atEnd: (ends: [ConnectionID: End], lostConnectionAt: Instant?, now: Instant)?
    /// Where each part under way begins in its file, and its bytes if they are kept in memory.
    var held: [PartKey: (start: UInt64, bytes: [UInt8]?)] = [:]
    var reads: [PartKey: Int] = [:]
    /// How far each stream has been read. A stream supplies its bytes once, in order.
    var streams: [UploadID: UInt64] = [:]
    var lastRead = 0
    private var uncommitted: [(JournalSequence, JournalWrite)] = []
    private var committing: [(JournalSequence, JournalWrite)] = []
    private var isCommitPlanned = false
    private var timerAt: Instant?
    /// The number of the agent's current process. The host ignores events that an earlier process has scheduled.
    package private(set) var life = 0
    package private(set) var isDead = false
    /// Whether the host keeps the bytes of a part in memory after it has read the part. Otherwise it reads them again
    /// for each chunk.
    package var keepsParts = true
    /// Changes what a read returns to the machine. Receives the file's stamp from before the read, and the real result.
    package var tamperReading: ((FileStamp, PartReading) -> PartReading)?
    /// Replaces the evidence that the agent computes from its file. Receives the evidence of the object with which the
    /// agent compares.
    package var tamperEvidence: ((ContentEvidence) -> ContentEvidence)?
    /// Changes frames before the machine receives them.
    package var tamperInbound: ((Frame) -> Frame)?
    /// Whether the machine is notified of commits before they are durable.
    package var claimsCommits = false
    package private(set) var outcomes: [UploadID: UploadOutcome] = [:]
    /// The outcomes of PROVE questions.
    package private(set) var answers: [UploadID: ProofOutcome] = [:]
    package private(set) var reports: [AgentReport] = []
    package private(set) var actionCount = 0
    package private(set) var commitCount = 0
    package internal(set) var readCount = 0

    /// - Parameter makeMachine: called with the time at each start of the process.
    package init(world: any HostWorld, number: Int = 0, makeMachine: @escaping (Instant) -> Agent) {
        self.world = world
        self.number = number
        self.makeMachine = makeMachine
        self.machine = makeMachine(world.schedule.now)
    }

    package var heldParts: Int { held.count }

    /// Whether the agent has been well connected for this time:
    /// - It has at least one connection, and has lost none in this time.
    /// - Each connection has been open for this time, and has brought a frame in the second half of it.
    ///
    /// If the agent has ended its run, the answer is about the end of the run.
    package func isWellConnected(for age: Duration) -> Bool {
        let (ends, lostConnectionAt, now) = atEnd ?? (ends, lostConnectionAt, now)
        let areAlive = ends.values.allSatisfy { end in
            guard let openedAt = end.openedAt, let heardAt = end.heardAt else { return false }
            return openedAt + age <= now && heardAt + age / 2 > now
        }
        return !ends.isEmpty && areAlive && lostConnectionAt.map { $0 + age <= now } ?? true
    }

    var now: Instant { world.schedule.now }

    // MARK: Process

    /// Kills the process: uncommitted writes are lost and connections break.
    ///
    /// - Parameters:
    ///   - leavingGateway: whether the gateways do not notice that the process has died.
    ///   - landingCommit: whether the transaction in progress becomes durable. The process does not learn of it.
    ///   - landingBytes: whether bytes in flight still arrive at the gateways.
    ///   - landingPercent: percentage of the transaction and of the bytes on each connection that takes effect. Real
    ///     journal transactions are atomic, but the agent must not rely on which writes share a transaction.
    package func kill(
        leavingGateway: Bool = false, landingCommit: Bool = false, landingBytes: Bool = false, landingPercent: Int = 100
    ) {
        guard !isDead else { return }
        isDead = true
        life += 1
        let wires = ends.sorted { $0.key < $1.key }.compactMap(\.value.wire)
        let landing = committing.prefix(committing.count * landingPercent / 100).map(\.1)
        if landingCommit, !landing.isEmpty { _ = world.commit(landing, of: self) }
        forget()
        for wire in wires {
            if landingPercent < 100 { wire.tear(keepingPercent: landingPercent) }
            switch (landingBytes, leavingGateway) {
            case (true, true): wire.abandonAgent()
            case (true, false): wire.close(from: .toGateway)
            case (false, true): wire.end(.cutAtAgent)
            case (false, false): wire.end(.cut)
            }
        }
    }

    /// Ends the process in an orderly way: bytes that it has written still arrive.
    package func exit() {
        isDead = true
        life += 1
        let wires = ends.sorted { $0.key < $1.key }.compactMap(\.value.wire)
        forget()
        for wire in wires { wire.close(from: .toGateway) }
    }

    private func forget() {
        atEnd = nil
        ends = [:]
        held = [:]
        reads = [:]
        streams = [:]
        uncommitted = []
        committing = []
        isCommitPlanned = false
        timerAt = nil
    }

    /// Starts a new process, and submits these uploads to it.
    package func start(_ requests: [UploadRequest]) {
        machine = makeMachine(now)
        isDead = false
        for request in requests { submit(request) }
    }

    package func submit(_ request: UploadRequest) {
        outcomes[request.id] = nil
        if request.isStream { streams[request.id] = 0 }
        handle(.submitted(request))
    }

    /// Passes an event to the machine and performs what the machine decides.
    package func handle(_ event: AgentEvent) { change { $0.handle(event, now: now) } }

    package func change(_ body: (inout Agent) -> Void) {
        body(&machine)
        perform()
    }

    // MARK: The wire

    func connectionLost(_ id: ConnectionID) {
        guard !isDead, ends.removeValue(forKey: id) != nil else { return }
        lostConnectionAt = now
        handle(.connectionLost(id))
    }

    func received(_ bytes: ByteBuffer, from id: ConnectionID) {
        ends[id]?.decoder.append(bytes)
        do throws(WireError) {
            while !isDead, let inbound = try ends[id]?.decoder.next() {
                guard case .frame(let slot, let frame) = inbound else { continue }
                ends[id]?.heardAt = now
                if case .welcome = frame { ends[id]?.openedAt = now }
                world.delivered(frame, to: self)
                world.delivered(frame, slot: slot, on: id, to: self)
                handle(.receivedFrame(tamperInbound?(frame) ?? frame, slot: slot, from: id))
            }
        } catch {
            world.violation("the gateway sent \(error.code.name)")
            handle(.receivedMalformed(error.code, message: error.description, from: id))
        }
    }

    /// Cuts all connections, as a broken network does.
    package func cutAll() {
        for end in ends.sorted(by: { $0.key < $1.key }) { end.value.wire?.end(.cut) }
    }

    // MARK: Actions

    private func perform() {
        guard !isDead else { return }
        let life = life
        for action in machine.takeActions() {
            perform(action)
            actionCount += 1
            world.acted(self)
            guard life == self.life, !isDead else { return }
        }
        arm()
    }

    private func perform(_ action: AgentAction) {
        switch action {
        case .connect(let id, _): connect(id)
        case .send(let id, let slot, let frame): send(frame, slot: slot, to: id)
        case .sendChunk(let chunk):
            guard ends[chunk.connection] != nil else { return }
            ends[chunk.connection]?.chunks.append(chunk)
            pump(chunk.connection)
        case .close(let id):
            if machine.verdict != nil, atEnd == nil { atEnd = (ends, lostConnectionAt, now) }
            lostConnectionAt = now
            ends.removeValue(forKey: id)?.wire?.close(from: .toGateway)
        case .readPart(let upload, let part, let start, let bytes, let withMD5, let keep):
            read(PartKey(upload: upload, part: part), start: start, bytes: bytes, withMD5: withMD5, keep: keep)
        case .releasePart(let upload, let part):
            held[PartKey(upload: upload, part: part)] = nil
            reads[PartKey(upload: upload, part: part)] = nil
        case .computeEvidence(let upload, let bytes, let partBytes, let like):
            compute(upload, bytes: bytes, partBytes: partBytes, like: like)
        case .checkFile(let upload):
            later(.reading) { host in
                if let failure = host.world.reading(upload, reaches: .end, at: host) {
                    return host.machine.handle(.fileChecked(.failure(failure), of: upload), now: host.now)
                }
                guard let stamp = host.world.file(of: upload, at: host)?.stamp else { return }
                host.machine.handle(.fileChecked(.success(stamp), of: upload), now: host.now)
            }
        case .journal(let sequence, let write):
            uncommitted.append((sequence, write))
            planCommit()
        case .report(_, let report): reports.append(report)
        // The simulated disk always keeps the pins.
        case .keepPins: machine.handle(.pinsKept(isDurable: true), now: now)
        case .finish(let upload, let outcome, _):
            outcomes[upload] = outcome
            world.finished(upload, outcome, at: self)
        case .answered(let proof, let outcome): answers[proof] = outcome
        }
    }

    /// Runs the body after the time that `work` takes, if the process is still alive then.
    func later(_ work: AgentWork, _ body: @escaping (AgentHost) -> Void) {
        later(world.duration(of: work, at: self), body)
    }

    private func later(_ delay: Duration, _ body: @escaping (AgentHost) -> Void) {
        let life = life
        world.schedule.after(delay) { [weak self] in
            guard let self, life == self.life, !self.isDead else { return }
            body(self)
            self.perform()
        }
    }

    private func connect(_ id: ConnectionID) {
        ends[id] = End()
        later(.connecting) { host in
            guard host.ends[id] != nil else { return }
            guard let wire = host.world.connect(id, from: host) else {
                host.ends[id] = nil
                host.machine.handle(.connectionLost(id), now: host.now)
                return
            }
            host.ends[id]?.wire = wire
            host.machine.handle(.connected(id, by: nil), now: host.now)
        }
    }

    private func send(_ frame: Frame, slot: Slot, to id: ConnectionID) {
        guard let wire = ends[id]?.wire else { return }
        world.sends(frame, slot: slot, on: id, from: self)
        var buffer = ByteBuffer()
        do throws(WireError) {
            try frame.encode(slot: slot, into: &buffer)
            wire.write(buffer, .toGateway)
        } catch {
            world.violation("the agent cannot encode \(frame.type): \(error.code.name)")
        }
    }

    // MARK: Chunks

    /// Sends the chunks of a connection one after another at the rate of the link. Frames overtake the chunks that are
    /// still waiting.
    private func pump(_ id: ConnectionID) {
        guard ends[id]?.isPumping == false, ends[id]?.chunks.isEmpty == false else { return }
        ends[id]?.isPumping = true
        later(.microseconds(1)) { $0.sendChunk(id) }
    }

    private func sendChunk(_ id: ConnectionID) {
        guard let wire = ends[id]?.wire, let chunk = ends[id]?.chunks.first else { return }
        ends[id]?.chunks.removeFirst()
        let key = PartKey(upload: chunk.upload, part: chunk.part)
        guard let payload = payload(of: chunk, key) else {
            ends[id]?.isPumping = false
            machine.handle(.chunkFailed(chunk, UploadFailure(.changed, "the part cannot be read")), now: now)
            return pump(id)
        }
        let header = PartDataHeader(
            part: chunk.part, offset: chunk.offset, plainBytes: chunk.plainBytes, isCompressed: false,
            payloadBytes: chunk.plainBytes)
        var buffer = ByteBuffer()
        do throws(WireError) {
            try header.encode(slot: chunk.slot, into: &buffer)
        } catch {
            world.violation("the agent cannot encode PART DATA: \(error.code.name)")
        }
        buffer.writeBytes(payload)
        let wireBytes = UInt64(buffer.readableBytes)
        machine.handle(.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: wireBytes), now: now)
        wire.write(buffer, .toGateway)
        world.sendsChunk(header, of: chunk.upload, on: id, wireBytes: wireBytes, from: self)
        later(.sending(wireBytes: wireBytes)) { host in
            guard host.ends[id] != nil else { return }
            host.ends[id]?.isPumping = false
            host.machine.handle(.chunkSent(chunk, wireBytes: wireBytes), now: host.now)
            host.pump(id)
        }
    }

    private func payload(of chunk: Chunk, _ key: PartKey) -> [UInt8]? {
        guard let part = held[key] else { return nil }
        guard let content = part.bytes else {
            return world.file(of: chunk.upload, at: self)?
                .read(start: part.start + chunk.offset, count: UInt64(chunk.plainBytes))
        }
        guard chunk.offset + UInt64(chunk.plainBytes) <= UInt64(content.count) else { return nil }
        return Array(content[Int(chunk.offset)..<Int(chunk.offset) + Int(chunk.plainBytes)])
    }

    // MARK: Journal and time

    /// Plans the next transaction of the journal. Writes that the machine requests while a transaction is becoming
    /// durable go into the next one.
    private func planCommit() {
        guard !isCommitPlanned, let last = uncommitted.last?.0 else { return }
        isCommitPlanned = true
        committing = uncommitted
        uncommitted = []
        if claimsCommits {
            later(.microseconds(1)) { $0.machine.handle(.journalCommitted(through: last), now: $0.now) }
        }
        later(.committing) { host in
            host.isCommitPlanned = false
            let writes = host.committing.map(\.1)
            host.committing = []
            if let failure = host.world.commit(writes, of: host) {
                return host.machine.handle(.journalFailed(failure), now: host.now)
            }
            host.commitCount += 1
            host.machine.handle(.journalCommitted(through: last), now: host.now)
            host.world.committed(host)
            host.planCommit()
        }
    }

    private func arm() {
        // An idle agent would send PING forever. A simulated run ends when nothing is left to happen, so an idle agent
        // gets no timer.
        guard !machine.isIdle, let deadline = machine.nextDeadline else { return }
        guard timerAt.map({ deadline < $0 }) ?? true else { return }
        timerAt = deadline
        let life = life
        world.schedule.at(deadline) { [weak self] in
            guard let self, life == self.life, !self.isDead, self.timerAt == deadline else { return }
            self.timerAt = nil
            self.world.ticked("agent")
            self.handle(.tick)
        }
    }
}
