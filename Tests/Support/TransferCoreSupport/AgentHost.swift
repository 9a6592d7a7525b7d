import NIOCore
package import TransferCommon
package import TransferCore
package import WireProtocol

/// An agent's shell without sockets and disks: performs what the machine decides, in the virtual world.
package final class AgentHost {
    private struct Chunk {
        var slot: Slot
        var upload: UploadID
        var part: PartNumber
        var offset: UInt64
        var plainBytes: UInt32
    }

    private struct End {
        var wire: Wire?
        var decoder = FrameDecoder(receiver: .agent)
        var chunks: [Chunk] = []
        var isPumping = false
    }

    struct PartKey: Hashable {
        var upload: UploadID
        var part: PartNumber
    }

    package internal(set) var machine: Agent
    /// Tells the agents of one world apart.
    package let number: Int
    private let makeMachine: (Instant) -> Agent
    unowned let world: any HostWorld
    private var ends: [ConnectionID: End] = [:]
    /// Where each part that will be sent begins in its file, and its bytes where they are kept.
    var held: [PartKey: (start: UInt64, bytes: [UInt8]?)] = [:]
    var reads: [PartKey: Int] = [:]
    /// How far each stream has been read: its bytes come once, in order.
    var streams: [UploadID: UInt64] = [:]
    var lastRead = 0
    private var uncommitted: [(JournalSequence, JournalWrite)] = []
    /// The writes of the transaction that is being made durable.
    private var committing: [(JournalSequence, JournalWrite)] = []
    private var isCommitPlanned = false
    private var timerAt: Instant?
    /// Counts processes: what was planned for an earlier one finds nobody.
    package private(set) var life = 0
    package private(set) var isDead = false
    /// Whether the bytes of parts are kept in memory; else they are read again for each chunk.
    package var keepsParts = true
    /// Stands between the disk and the machine: the stamp before a reading, and what the reading found.
    package var tamperReading: ((FileStamp, PartReading) -> PartReading)?
    /// What a comparison of the file with an object is said to have given, whatever the file holds.
    package var tamperEvidence: ((ContentEvidence) -> ContentEvidence)?
    /// Stands between the wire and the machine.
    package var tamperInbound: ((Frame) -> Frame)?
    /// Whether the machine is told that writes are durable before they are.
    package var claimsCommits = false
    package private(set) var outcomes: [UploadID: UploadOutcome] = [:]
    /// What came of asking gateways.
    package private(set) var answers: [UploadID: ProofOutcome] = [:]
    package private(set) var reports: [AgentReport] = []
    package private(set) var actionCount = 0
    package private(set) var commitCount = 0
    package internal(set) var readCount = 0

    /// - Parameter makeMachine: called at each start of the process, with the time.
    package init(world: any HostWorld, number: Int = 0, makeMachine: @escaping (Instant) -> Agent) {
        self.world = world
        self.number = number
        self.makeMachine = makeMachine
        self.machine = makeMachine(world.schedule.now)
    }

    package var heldParts: Int { held.count }

    var now: Instant { world.schedule.now }

    // MARK: Life

    /// The process dies: what was not committed is lost, its connections break.
    ///
    /// - Parameters:
    ///   - leavingGateway: the gateway does not notice, and what was on its way to it is lost.
    ///   - landingCommit: the transaction that was being made durable is, though nobody was told.
    ///   - landingBytes: what was written to connections arrives at the gateways all the same.
    ///   - landingPercent: of the transaction and of the bytes on each connection only a beginning lands. Though the
    ///     journal's transactions are whole or not at all, nothing here is to rely on which writes share one.
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

    /// The process ends in order.
    package func exit() {
        isDead = true
        life += 1
        let wires = ends.sorted { $0.key < $1.key }.compactMap(\.value.wire)
        forget()
        for wire in wires { wire.close(from: .toGateway) }
    }

    private func forget() {
        ends = [:]
        held = [:]
        reads = [:]
        streams = [:]
        uncommitted = []
        committing = []
        isCommitPlanned = false
        timerAt = nil
    }

    /// Another process takes up what the journal holds.
    package func start(_ requests: [UploadRequest]) {
        machine = makeMachine(now)
        isDead = false
        for request in requests { submit(request) }
    }

    package func submit(_ request: UploadRequest) {
        outcomes[request.id] = nil
        if request.isStream { streams[request.id] = 0 }
        machine.submit(request, now: now)
        perform()
    }

    package func change(_ body: (inout Agent) -> Void) {
        body(&machine)
        perform()
    }

    // MARK: The wire

    func connectionLost(_ id: ConnectionID) {
        guard !isDead, ends.removeValue(forKey: id) != nil else { return }
        machine.connectionLost(id, now: now)
        perform()
    }

    func received(_ bytes: ByteBuffer, from id: ConnectionID) {
        ends[id]?.decoder.append(bytes)
        do throws(WireError) {
            while !isDead, let inbound = try ends[id]?.decoder.next() {
                guard case .frame(let slot, let frame) = inbound else { continue }
                world.delivered(frame, to: self)
                world.delivered(frame, slot: slot, on: id, to: self)
                machine.receivedFrame(tamperInbound?(frame) ?? frame, slot: slot, from: id, now: now)
                perform()
            }
        } catch {
            world.violation("the gateway sent \(error.code.name)")
            machine.receivedMalformed(error.code, message: error.description, from: id, now: now)
            perform()
        }
    }

    /// Every connection ends, as with a broken network.
    package func cutAll() {
        for end in ends.sorted(by: { $0.key < $1.key }) { end.value.wire?.end(.cut) }
    }

    // MARK: Performing

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
        case .connect(let id): connect(id)
        case .send(let id, let slot, let frame): send(frame, slot: slot, to: id)
        case .sendChunk(let id, let slot, let upload, let part, let offset, let plainBytes):
            guard ends[id] != nil else { return }
            ends[id]?.chunks.append(
                Chunk(slot: slot, upload: upload, part: part, offset: offset, plainBytes: plainBytes))
            pump(id)
        case .close(let id): ends.removeValue(forKey: id)?.wire?.close(from: .toGateway)
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
                    return host.machine.fileChecked(.failure(failure), of: upload, now: host.now)
                }
                guard let stamp = host.world.file(of: upload, at: host)?.stamp else { return }
                host.machine.fileChecked(.success(stamp), of: upload, now: host.now)
            }
        case .journal(let sequence, let write):
            uncommitted.append((sequence, write))
            planCommit()
        case .report(_, let report): reports.append(report)
        // On a machine that keeps what it is told.
        case .keepPins: machine.pinsKept(true, now: now)
        case .finish(let upload, let outcome, _):
            outcomes[upload] = outcome
            world.finished(upload, outcome, at: self)
        case .answered(let proof, let outcome): answers[proof] = outcome
        }
    }

    /// Does something after a while, if the process still lives then.
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
                host.machine.connectionLost(id, now: host.now)
                return
            }
            host.ends[id]?.wire = wire
            host.machine.connected(id, now: host.now)
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

    /// Chunks of a connection go one after another, as fast as the link takes them; frames overtake those that wait.
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
            machine.chunkFailed(
                id, upload: chunk.upload, part: chunk.part, plainBytes: chunk.plainBytes,
                failure: UploadFailure(.changed, "the part cannot be read"), now: now)
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
        machine.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: wireBytes, now: now)
        wire.write(buffer, .toGateway)
        world.sendsChunk(header, of: chunk.upload, on: id, wireBytes: wireBytes, from: self)
        later(.sending(wireBytes: wireBytes)) { host in
            guard host.ends[id] != nil else { return }
            host.ends[id]?.isPumping = false
            host.machine.chunkSent(
                id, upload: chunk.upload, part: chunk.part, end: chunk.offset + UInt64(chunk.plainBytes),
                plainBytes: chunk.plainBytes, wireBytes: wireBytes, now: host.now)
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

    /// What is asked for while a transaction is being made durable goes into the next.
    private func planCommit() {
        guard !isCommitPlanned, let last = uncommitted.last?.0 else { return }
        isCommitPlanned = true
        committing = uncommitted
        uncommitted = []
        if claimsCommits {
            later(.microseconds(1)) { $0.machine.journalCommitted(through: last, now: $0.now) }
        }
        later(.committing) { host in
            host.isCommitPlanned = false
            let writes = host.committing.map(\.1)
            host.committing = []
            if let failure = host.world.commit(writes, of: host) {
                return host.machine.journalFailed(failure, now: host.now)
            }
            host.commitCount += 1
            host.machine.journalCommitted(through: last, now: host.now)
            host.world.committed(host)
            host.planCommit()
        }
    }

    private func arm() {
        guard let deadline = machine.nextDeadline else { return }
        guard timerAt.map({ deadline < $0 }) ?? true else { return }
        timerAt = deadline
        let life = life
        world.schedule.at(deadline) { [weak self] in
            guard let self, life == self.life, !self.isDead, self.timerAt == deadline else { return }
            self.timerAt = nil
            self.world.ticked("agent")
            self.machine.tick(now: self.now)
            self.perform()
        }
    }
}
