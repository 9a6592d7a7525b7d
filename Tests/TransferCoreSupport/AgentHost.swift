import NIOCore
package import TransferCore
import WireProtocol

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

    private struct PartKey: Hashable {
        var upload: UploadID
        var part: PartNumber
    }

    package private(set) var machine: Agent
    private let makeMachine: (Instant) -> Agent
    private unowned let pair: Pair
    private var ends: [ConnectionID: End] = [:]
    private var held: [PartKey: [UInt8]] = [:]
    private var reads: [PartKey: Int] = [:]
    private var lastRead = 0
    private var uncommitted: [(JournalSequence, JournalWrite)] = []
    private var isCommitPlanned = false
    private var timerAt: Instant?
    private var life = 0
    private var isDead = false
    package private(set) var outcomes: [UploadID: UploadOutcome] = [:]
    package private(set) var reports: [AgentReport] = []
    package private(set) var actionCount = 0
    package private(set) var commitCount = 0

    init(pair: Pair, makeMachine: @escaping (Instant) -> Agent) {
        self.pair = pair
        self.makeMachine = makeMachine
        self.machine = makeMachine(pair.schedule.now)
    }

    package var heldParts: Int { held.count }

    private var now: Instant { pair.schedule.now }

    // MARK: Life

    /// The process dies: what was not committed is lost, its connections break.
    package func kill(leavingGateway: Bool = false) {
        isDead = true
        life += 1
        let wires = ends.sorted { $0.key < $1.key }.compactMap(\.value.wire)
        ends = [:]
        held = [:]
        reads = [:]
        uncommitted = []
        isCommitPlanned = false
        timerAt = nil
        for wire in wires { wire.cut(leavingGateway: leavingGateway) }
    }

    /// Another process takes up what the journal holds.
    package func start(_ requests: [UploadRequest]) {
        machine = makeMachine(now)
        isDead = false
        for request in requests { submit(request) }
    }

    package func submit(_ request: UploadRequest) {
        outcomes[request.id] = nil
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
                pair.delivered(frame)
                machine.receivedFrame(frame, slot: slot, from: id, now: now)
                perform()
            }
        } catch {
            pair.violation("the gateway sent \(error.code.name)")
            machine.receivedMalformed(error.code, from: id, now: now)
            perform()
        }
    }

    func cutAll() {
        for end in ends.sorted(by: { $0.key < $1.key }) { end.value.wire?.cut() }
    }

    // MARK: Performing

    private func perform() {
        for action in machine.takeActions() {
            guard !isDead else { return }
            perform(action)
            actionCount += 1
            pair.agentActed(actionCount)
        }
        guard !isDead else { return }
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
        case .computeEvidence(let upload, let partBytes, let like):
            later(pair.options.readTime) { $0.compute(upload, partBytes: partBytes, like: like) }
        case .checkFile(let upload):
            later(pair.options.readTime) { host in
                guard let stamp = host.pair.files[upload]?.stamp else { return }
                host.machine.fileChecked(.success(stamp), of: upload, now: host.now)
            }
        case .journal(let sequence, let write):
            uncommitted.append((sequence, write))
            planCommit()
        case .report(_, let report): reports.append(report)
        case .finish(let upload, let outcome, _):
            outcomes[upload] = outcome
            pair.finished(upload, outcome)
        }
    }

    /// Does something after a while, if the process still lives then.
    private func later(_ delay: Duration, _ body: @escaping (AgentHost) -> Void) {
        let life = life
        pair.schedule.after(delay) { [weak self] in
            guard let self, life == self.life, !self.isDead else { return }
            body(self)
            self.perform()
        }
    }

    private func connect(_ id: ConnectionID) {
        ends[id] = End()
        later(pair.options.latency * 2) { host in
            guard host.ends[id] != nil else { return }
            guard let wire = host.pair.connect(id) else {
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
        var buffer = ByteBuffer()
        do throws(WireError) {
            try frame.encode(slot: slot, into: &buffer)
            wire.write(buffer, .toGateway)
        } catch {
            pair.violation("the agent cannot encode \(frame.type): \(error.code.name)")
        }
    }

    private func read(_ key: PartKey, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool) {
        lastRead += 1
        let number = lastRead
        reads[key] = number
        pair.partsRead += 1
        later(pair.options.readTime) { host in
            guard host.reads[key] == number, let file = host.pair.files[key.upload] else { return }
            host.reads[key] = nil
            guard let content = file.read(start: start, count: bytes) else {
                return host.machine.partRead(key.part, of: key.upload, .truncated, now: host.now)
            }
            if keep { host.held[key] = content }
            let reading = PartReading.read(
                digest: ToyDigest.sha256(content), md5: withMD5 ? ToyDigest.md5(content) : nil, stamp: file.stamp)
            host.machine.partRead(key.part, of: key.upload, reading, now: host.now)
        }
    }

    private func compute(_ upload: UploadID, partBytes: UInt64, like: ContentEvidence) {
        guard let file = pair.files[upload] else { return }
        let evidence = VirtualEvidence.compute(file.bytes, partBytes: partBytes, like: like)
        machine.evidenceComputed(.computed(evidence, stamp: file.stamp), of: upload, now: now)
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
        guard let content = held[key], chunk.offset + UInt64(chunk.plainBytes) <= UInt64(content.count) else {
            ends[id]?.isPumping = false
            machine.chunkFailed(
                id, upload: chunk.upload, part: chunk.part, plainBytes: chunk.plainBytes,
                failure: UploadFailure(.unreadable, "the part is not held"), now: now)
            return pump(id)
        }
        let payload = content[Int(chunk.offset)..<Int(chunk.offset) + Int(chunk.plainBytes)]
        let header = PartDataHeader(
            part: chunk.part, offset: chunk.offset, plainBytes: chunk.plainBytes, isCompressed: false,
            payloadBytes: chunk.plainBytes)
        var buffer = ByteBuffer()
        do throws(WireError) {
            try header.encode(slot: chunk.slot, into: &buffer)
        } catch {
            pair.violation("the agent cannot encode PART DATA: \(error.code.name)")
        }
        buffer.writeBytes(payload)
        let wireBytes = UInt64(buffer.readableBytes)
        machine.chunkEncoded(wireBytes: wireBytes, now: now)
        wire.write(buffer, .toGateway)
        pair.chunkWritten(wireBytes)
        let time = pair.options.linkBytesPerSecond.map { Duration.nanoseconds(Int64(wireBytes * 1_000_000_000 / $0)) }
        later(time ?? .microseconds(1)) { host in
            guard host.ends[id] != nil else { return }
            host.ends[id]?.isPumping = false
            host.machine.chunkSent(
                id, upload: chunk.upload, part: chunk.part, end: chunk.offset + UInt64(chunk.plainBytes),
                plainBytes: chunk.plainBytes, wireBytes: wireBytes, now: host.now)
            host.pump(id)
        }
    }

    // MARK: Journal and time

    private func planCommit() {
        guard !isCommitPlanned else { return }
        isCommitPlanned = true
        later(pair.options.commitTime) { host in
            host.isCommitPlanned = false
            guard let last = host.uncommitted.last else { return }
            for (_, write) in host.uncommitted { host.pair.committed(write) }
            host.uncommitted = []
            host.commitCount += 1
            host.machine.journalCommitted(through: last.0, now: host.now)
            host.pair.agentCommitted(host.commitCount)
        }
    }

    private func arm() {
        guard let deadline = machine.nextDeadline else { return }
        guard timerAt.map({ deadline < $0 }) ?? true else { return }
        timerAt = deadline
        let life = life
        pair.schedule.at(deadline) { [weak self] in
            guard let self, life == self.life, !self.isDead, self.timerAt == deadline else { return }
            self.timerAt = nil
            self.pair.ticked("agent")
            self.machine.tick(now: self.now)
            self.perform()
        }
    }
}
