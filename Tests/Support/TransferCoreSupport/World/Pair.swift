import SeededRandom
package import TransferCommon
package import TransferCore
package import WireProtocol

/// Options of a simulation with one agent (`Pair`).
package struct PairOptions: Sendable {
    package var gateways = 1
    package var seed: UInt64 = 1
    package var latency = Duration.milliseconds(5)
    package var readTime = Duration.milliseconds(1)
    package var commitTime = Duration.milliseconds(3)
    /// Bytes per second on the link; `nil` for no limit.
    package var linkBytesPerSecond: UInt64?
    package var gatewayLimits: GatewayLimits
    package var agentLimits: AgentLimits

    /// Uses small parts and small windows, so that a few thousand bytes are a large file.
    package init() {
        let rule = PartRule(
            partBytesMin: 16, partBytesMax: 100_000, partBytesDefault: 1_000, partsMax: 10_000,
            objectBytesMax: 1 << 40)
        gatewayLimits = GatewayLimits(parts: rule)
        gatewayLimits.budgetBytes = 64_000
        gatewayLimits.budgetBytesPerDevice = 48_000
        gatewayLimits.windowBytes = 600
        gatewayLimits.initialCreditBytes = 500
        gatewayLimits.chunkBytesMax = 256
        agentLimits = AgentLimits()
        agentLimits.smallPartBytes = 300
    }
}

/// A cut of a connection, made when the nth write in this direction is half delivered.
package struct Cut: Equatable, Sendable {
    package enum Direction: String, CaseIterable, Sendable {
        case toGateway
        case toAgent
    }

    package var direction: Direction
    package var after: Int
    /// Whether the gateway does not notice the cut.
    package var leavesGateway = false

    package init(_ direction: Direction, after: Int, leavesGateway: Bool = false) {
        self.direction = direction
        self.after = after
        self.leavesGateway = leavesGateway
    }
}

/// An agent and its gateways, a store, files and a journal, connected by simulated wires under a virtual clock. The
/// options and the seed determine everything that happens; `violations` lists the broken invariants.
package final class Pair: HostWorld {
    package static var device: AuthorisedDevice {
        AuthorisedDevice(name: "device-1", fingerprint: ToyDigest.sha256([1]), prefix: "site/")
    }

    package let options: PairOptions
    package let schedule = Schedule()
    package let store: VirtualStore
    package let journal = VirtualJournal()
    package private(set) var gateways: [GatewayHost] = []
    private var agentHost: AgentHost?
    package var files: [UploadID: VirtualFile] = [:]
    private var streams: Set<UploadID> = []
    /// The gateway that the next connection reaches; `nil` if no gateway is reachable.
    package var route: (() -> Int?) = { 0 }
    package var cuts: [Cut] = []
    /// Observes the agent: called after each action, with the number of actions so far. `onCommit` is called after each
    /// commit of the journal, with the number of commits so far.
    package var onAgentAction: ((Int) -> Void)?
    package var onCommit: ((Int) -> Void)?
    package var onFrame: ((Frame, Cut.Direction) -> Void)?
    package private(set) var transcript: [String] = []
    package private(set) var violations: [String] = []
    /// Whether a gateway may still count connections as open that the agent has lost.
    var leavesStaleConnections = false
    package private(set) var chunkTimes: [(at: Instant, connection: ConnectionID, wireBytes: UInt64)] = []
    private var deliveries: [Wire.Direction: Int] = [:]
    private var ticksAt: (moment: Instant, count: Int) = (Instant(nanoseconds: 0), 0)
    private var lastUpload: Int64 = 0
    package private(set) var steps = 0
    package var partsRead: Int { agent.readCount }
    private var generator: SeededGenerator

    package init(_ options: PairOptions = PairOptions(), cryptography: ToyCryptography = ToyCryptography()) {
        self.options = options
        self.store = VirtualStore(schedule: schedule)
        self.store.conditions = options.gatewayLimits.conditions
        self.generator = SeededGenerator(seed: options.seed)
        for _ in 0..<options.gateways {
            gateways.append(
                GatewayHost(world: self, store: store) { [schedule] in
                    var machine = Gateway(limits: options.gatewayLimits, cryptography: cryptography, software: "g")
                    machine.handle(.devicesChanged([Pair.device]), now: schedule.now)
                    return machine
                })
        }
        agentHost = AgentHost(world: self) { [unowned self] now in self.makeAgent(now: now) }
    }

    package var agent: AgentHost {
        guard let agentHost else { preconditionFailure("The agent is made with the pair.") }
        return agentHost
    }

    package var gateway: GatewayHost { gateways[0] }

    private func makeAgent(now: Instant) -> Agent {
        let identity = AgentIdentity(
            fingerprint: Pair.device.fingerprint, run: RunID.random(using: &generator), capabilities: [],
            software: "a")
        // The journal already knows the site, as after an earlier push.
        let site = DeviceSite(
            store: options.gatewayLimits.storeIdentity, device: Pair.device.name, prefix: Pair.device.prefix)
        return Agent(
            limits: options.agentLimits, identity: identity, cryptography: ToyCryptography(),
            generator: SeededGenerator(seed: generator.next()), site: journal.site ?? site, now: now)
    }

    // MARK: Steps of a test

    /// Submits a new file of random bytes to the agent.
    @discardableResult
    package func push(
        bytes count: Int, key: String = "file", policy: ExistingKeyPolicy = .verify, partBytes: UInt64? = nil,
        isStream: Bool = false
    ) -> UploadID {
        push(generator.bytes(count), key: key, policy: policy, partBytes: partBytes, isStream: isStream)
    }

    @discardableResult
    package func push(
        _ bytes: [UInt8], key: String = "file", policy: ExistingKeyPolicy = .verify, partBytes: UInt64? = nil,
        isStream: Bool = false
    ) -> UploadID {
        lastUpload += 1
        let id = UploadID(lastUpload)
        if isStream { streams.insert(id) }
        files[id] = VirtualFile(bytes: bytes, inode: UInt64(lastUpload))
        journal.add(
            VirtualJournal.Row(id: id, key: key, policy: policy, partBytesWish: partBytes))
        submit(id)
        return id
    }

    /// Submits a row of the journal to the agent, with the file's current stamp.
    package func submit(_ id: UploadID, purpose: UploadRequest.Purpose = .push) {
        guard var request = journal.request(for: id, stamp: files[id]?.stamp, purpose: purpose) else { return }
        request.isStream = streams.contains(id)
        agent.submit(request)
    }

    /// Kills the agent's process. After a delay a new process continues from the journal.
    package func restartAgent(
        leavingGateway: Bool = false, purpose: UploadRequest.Purpose = .push, whileDead: () -> Void = {}
    ) {
        if leavingGateway { leavesStaleConnections = true }
        agent.kill(leavingGateway: leavingGateway)
        whileDead()
        schedule.after(.milliseconds(50)) { [unowned self] in
            let requests = self.files.keys.sorted().compactMap { id in
                self.journal.request(for: id, stamp: self.files[id]?.stamp, purpose: purpose)
            }
            self.agent.start(requests)
        }
    }

    /// Runs until every upload has ended or, if there is a condition, until the condition holds.
    ///
    /// - Returns: `false` if `stepsMax` steps were not enough.
    @discardableResult
    package func run(stepsMax: Int = 60_000, until condition: ((Pair) -> Bool)? = nil) -> Bool {
        for _ in 0..<stepsMax {
            if let condition { if condition(self) { return true } } else if isDone { return true }
            steps += 1
            guard schedule.step() else {
                if condition == nil, isDone { return true }
                violation("nothing is planned, and the uploads have not ended")
                return false
            }
        }
        violation("no end after \(stepsMax) steps")
        return false
    }

    /// Whether every upload has ended and the agent knows it.
    package var isDone: Bool {
        // An agent that dies after its last commit does not report the outcome.
        files.keys.allSatisfy { agent.outcomes[$0] != nil || journal.isFinished($0) } && agent.machine.isIdle
    }

    /// Ends all connections and advances the clock until everything is idle. Then checks that no resource is still in
    /// use.
    package func rest(stepsMax: Int = 60_000) {
        if agent.machine.partsUnderWay != 0 { violation("the agent counts \(agent.machine.partsUnderWay) parts") }
        if agent.heldParts != 0 { violation("the agent holds \(agent.heldParts) parts") }
        schedule.after(.seconds(1)) { [unowned self] in
            if self.agent.machine.slotsInUse != 0 { self.violation("slots of the agent are in use") }
            if !self.leavesStaleConnections, self.gateways.contains(where: { $0.machine.slotsInUse != 0 }) {
                self.violation("slots of a gateway are in use")
            }
            self.agent.cutAll()
            for gateway in self.gateways { gateway.cutAll() }
        }
        for _ in 0..<stepsMax where schedule.step() {}
        if !schedule.isEmpty { violation("no rest after \(stepsMax) steps") }
        for gateway in gateways {
            let machine = gateway.machine
            if machine.bytesReserved != 0 { violation("\(machine.bytesReserved) bytes stay reserved") }
            if machine.sessionCount != 0 { violation("\(machine.sessionCount) sessions stay") }
            if machine.partsUnderWay != 0 { violation("\(machine.partsUnderWay) parts stay") }
            if machine.connectionCount != 0 { violation("\(machine.connectionCount) connections stay") }
            if gateway.flowCount != 0 { violation("\(gateway.flowCount) flows stay") }
            if gateway.callCount != 0 { violation("\(gateway.callCount) calls stay") }
            if machine.requestsUnderWay != 0 { violation("\(machine.requestsUnderWay) requests stay") }
        }
    }

    /// Checks that an upload ended as stored, and that the object has the file's bytes.
    package func checkStored(_ id: UploadID) {
        guard let row = journal.rows[id], let file = files[id] else { return violation("no upload \(id.value)") }
        guard journal.isFinished(id), case .stored = row.outcome else {
            return violation("upload \(id.value) ended as \(String(describing: agent.outcomes[id]))")
        }
        guard let object = store.object(Pair.device.prefix + row.key) else { return violation("there is no object") }
        if object.bytes != file.bytes { violation("the object is not the file") }
    }

    // MARK: Requests of the hosts

    package func violation(_ text: String) { violations.append(text) }

    package func duration(of work: AgentWork, at agent: AgentHost) -> Duration {
        switch work {
        case .connecting: options.latency * 2
        case .reading: options.readTime
        case .committing: options.commitTime
        case .sending(let wireBytes):
            options.linkBytesPerSecond.map { .nanoseconds(Int64(wireBytes * 1_000_000_000 / $0)) } ?? .microseconds(1)
        }
    }

    package func file(of upload: UploadID, at agent: AgentHost) -> VirtualFile? { files[upload] }

    package func latency(of wire: Wire, _ direction: Wire.Direction) -> Duration { options.latency }

    package func connect(_ id: ConnectionID, from agent: AgentHost) -> Wire? {
        guard let index = route() else { return nil }
        return gateways[index].accept { [unowned self] gatewayID in
            Wire(id: id, gatewayID: gatewayID, gateway: self.gateways[index], agent: agent)
        }
    }

    package func arrival(of byteCount: Int, on wire: Wire, _ direction: Wire.Direction) -> Arrival {
        deliveries[direction, default: 0] += 1
        let count = deliveries[direction] ?? 0
        let wanted: Cut.Direction = direction == .toGateway ? .toGateway : .toAgent
        guard let cut = cuts.first(where: { $0.direction == wanted && $0.after == count }) else {
            return Arrival(pieces: [byteCount])
        }
        if cut.leavesGateway { leavesStaleConnections = true }
        return Arrival(pieces: [byteCount / 2], ending: cut.leavesGateway ? .cutAtAgent : .cut)
    }

    package func deliveryCount(_ direction: Cut.Direction) -> Int {
        deliveries[direction == .toGateway ? .toGateway : .toAgent] ?? 0
    }

    package func ticked(_ who: String) {
        if ticksAt.moment == schedule.now {
            ticksAt.count += 1
            if ticksAt.count == 200 { violation("the \(who) ticks without end") }
        } else {
            ticksAt = (schedule.now, 0)
        }
    }

    package func sendsChunk(
        _ header: PartDataHeader, of upload: UploadID, on connection: ConnectionID, wireBytes: UInt64,
        from agent: AgentHost
    ) {
        chunkTimes.append((schedule.now, connection, wireBytes))
    }

    package func received(_ frame: Frame, slot: Slot, on id: ConnectionID, at gateway: GatewayHost) {
        transcript.append("A→G \(id.value)/\(slot) \(frame.type)")
        onFrame?(frame, .toGateway)
    }

    package func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from gateway: GatewayHost) {
        check(frame)
        transcript.append("G→A \(id.value)/\(slot) \(frame.type)")
        onFrame?(frame, .toAgent)
    }

    package func acted(_ agent: AgentHost) { onAgentAction?(agent.actionCount) }

    package func committed(_ agent: AgentHost) { onCommit?(agent.commitCount) }

    package func requests(_ request: StoreRequest, at gateway: GatewayHost) {
        transcript.append("G→S \(request.kind.rawValue)")
    }

    package func answered(_ answer: StoreAnswer, to request: StoreRequest, at gateway: GatewayHost) {
        switch (answer, request) {
        case (.partStored(let etag), .storePart(_, _, let part, _)):
            store.confirmed.insert(.init(part: part, etag: etag))
        case (.parts(let entries), _):
            for entry in entries { store.confirmed.insert(.init(part: entry.part, etag: entry.etag)) }
        default:
            break
        }
    }

    /// Checks that the gateway reports only what the store has confirmed.
    private func check(_ frame: Frame) {
        switch frame {
        case .stored(let stored):
            if !store.confirmed.contains(.init(part: stored.part, etag: stored.etag)) {
                violation("part \(stored.part) was acknowledged unconfirmed")
            }
        case .partDecision(let decision):
            guard case .have(let etag) = decision.decision else { return }
            if !store.confirmed.contains(.init(part: decision.part, etag: etag)) {
                violation("part \(decision.part) is reported as stored without confirmation")
            }
        case .completed(let completed):
            guard let object = store.object(Pair.device.prefix + completed.location) else {
                return violation("COMPLETED without an object")
            }
            if object.summary.size != completed.size { violation("COMPLETED with another size") }
        default:
            break
        }
    }

    package func delivered(_ frame: Frame, to agent: AgentHost) {
        if case .completed = frame { store.known = [:] }
    }

    package func commit(_ writes: [JournalWrite], of agent: AgentHost) -> UploadFailure? {
        for write in writes { commit(write) }
        return nil
    }

    private func commit(_ write: JournalWrite) {
        journal.apply(write)
        switch write {
        case .stored(let id, let entry):
            guard let session = journal.rows[id]?.saved?.session else { return }
            store.known[session, default: [:]][entry.part] = entry.digest
            if !store.confirmed.contains(.init(part: entry.part, etag: entry.etag)) {
                violation("the journal holds part \(entry.part), which was not confirmed")
            }
        case .unstored(let id, let parts):
            guard let session = journal.rows[id]?.saved?.session else { return }
            for part in parts { store.known[session]?[part] = nil }
        default:
            break
        }
    }

    package func finished(_ id: UploadID, _ outcome: UploadOutcome, at agent: AgentHost) {
        transcript.append("upload \(id.value) ended")
    }
}
