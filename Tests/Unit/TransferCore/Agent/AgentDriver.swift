import SeededRandom
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Passes events to an agent's machine and records the actions that the machine returns. Tests use it to bring the
/// machine to a named state.
struct AgentDriver {
    static let upload = UploadID(1)
    static let stamp = stamp(size: 2_500)

    var machine: Agent
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Connections that the machine has requested and not closed.
    private(set) var connections: [ConnectionID] = []
    /// Chunks that the machine has asked to send and that the socket has not taken.
    private(set) var chunks: [Chunk] = []
    /// Parts that the machine has asked to read and not released.
    private(set) var reads: [PartNumber] = []
    private(set) var lastWrite: JournalSequence?
    private(set) var outcomes: [UploadOutcome] = []
    private(set) var answers: [ProofOutcome] = []
    /// The slots in use, newest last.
    private(set) var slots: [(connection: ConnectionID, slot: Slot)] = []
    private(set) var session = SessionID(high: 0, low: 0)
    private var left: [(connection: ConnectionID, slot: Slot)] = []
    private var welcomed: Set<ConnectionID> = []

    init(
        pins: [SHA256Digest] = [], capabilities: Capabilities = [], change: (inout AgentLimits) -> Void = { _ in }
    ) {
        var limits = PairOptions().agentLimits
        change(&limits)
        let identity = AgentIdentity(
            fingerprint: Pair.device.fingerprint, run: RunID(high: 1, low: 1), capabilities: capabilities, pins: pins,
            software: "a")
        machine = Agent(
            limits: limits, identity: identity, cryptography: ToyCryptography(), generator: SeededGenerator(seed: 1),
            site: Self.welcome(0).site, now: now)
    }

    // MARK: Events

    /// Passes an event to the machine.
    ///
    /// - Returns: the actions that the machine requests.
    @discardableResult
    mutating func handle(_ event: AgentEvent) -> [AgentAction] {
        change { $0.handle(event, now: $1) }
    }

    @discardableResult
    mutating func change(_ body: (inout Agent, Instant) -> Void) -> [AgentAction] {
        body(&machine, now)
        let taken = machine.takeActions()
        for action in taken { note(action) }
        return taken
    }

    /// Passes a frame of the gateway to the machine. Without `slot`, the frame arrives in the newest slot that is in
    /// use, or in slot 1 of the newest connection if none is. A frame of connection scope arrives in slot 0.
    @discardableResult
    mutating func frame(_ frame: Frame, slot: Slot? = nil) -> [AgentAction] {
        let place = slots.last ?? (connections.last ?? ConnectionID(1), Slot(1))
        let isOfConnection = !frame.type.scope.allows(Slot(1)) || frame.isConnectionError
        let slot = slot ?? (isOfConnection ? .connection : place.slot)
        return handle(.receivedFrame(frame, slot: slot, from: place.connection))
    }

    @discardableResult
    mutating func submit(
        size: UInt64, policy: ExistingKeyPolicy = .verify, saved: SavedSession? = nil,
        purpose: UploadRequest.Purpose = .push, stamp: FileStamp? = nil, id: UploadID = upload,
        proof: StoredProof? = nil, withdrawn: WithdrawnVersion? = nil, metadata: SessionMetadata = .none
    ) -> [AgentAction] {
        var request = UploadRequest(
            id: id, purpose: purpose, key: "file", stamp: purpose == .abort ? nil : stamp ?? Self.stamp(size: size),
            policy: policy, partBytesWish: nil, saved: saved, wasStoredBefore: proof != nil)
        request.proof = proof
        request.metadata = metadata
        request.withdrawn = withdrawn
        return handle(.submitted(request))
    }

    @discardableResult
    mutating func submitStream(
        saved: SavedSession? = nil, withdrawn: WithdrawnVersion? = nil, id: UploadID = upload, key: String = "file"
    ) -> [AgentAction] {
        var request = UploadRequest(
            id: id, purpose: .push, key: key, stamp: Self.stamp(size: 0), policy: .verify,
            partBytesWish: nil, saved: saved, wasStoredBefore: false)
        request.isStream = true
        request.withdrawn = withdrawn
        return handle(.submitted(request))
    }

    /// Answers the machine's oldest request to read a part of a stream.
    @discardableResult
    mutating func readStream(bytes: UInt64, isLast: Bool) -> [AgentAction] {
        guard !reads.isEmpty else { return [] }
        let part = reads.removeFirst()
        let reading = PartReading.readOfStream(
            digest: ToyDigest.sha256([UInt8(part.value)]), md5: nil, bytes: bytes, isLast: isLast)
        return handle(.partRead(part, of: Self.upload, reading))
    }

    /// Establishes the newest connection and receives WELCOME on it; does nothing if that happened before.
    @discardableResult
    mutating func welcome(
        initialCredit: UInt32 = 500, partsMax: UInt32 = 10_000, slotsMax: UInt16 = 8
    ) -> [AgentAction] {
        guard let id = connections.last, welcomed.insert(id).inserted else { return [] }
        let actions = handle(.connected(id, by: nil))
        let welcome = Frame.welcome(Self.welcome(initialCredit, partsMax: partsMax, slotsMax: slotsMax))
        return actions + handle(.receivedFrame(welcome, slot: .connection, from: id))
    }

    @discardableResult
    mutating func commit() -> [AgentAction] {
        guard let lastWrite else { return [] }
        return handle(.journalCommitted(through: lastWrite))
    }

    /// Answers the machine's oldest request to read a part.
    @discardableResult
    mutating func read(size: UInt64 = 2_500, stamp: FileStamp? = nil) -> [AgentAction] {
        guard let part = reads.first else { return [] }
        reads.removeFirst()
        let reading = PartReading.read(
            digest: ToyDigest.sha256(GatewayDriver.bytes(part.value, of: size)), md5: nil,
            stamp: stamp ?? Self.stamp(size: size))
        return handle(.partRead(part, of: Self.upload, reading))
    }

    /// Reports that the socket took the oldest chunk.
    @discardableResult
    mutating func chunkSent() -> [AgentAction] {
        guard !chunks.isEmpty else { return [] }
        let chunk = chunks.removeFirst()
        return change {
            let wireBytes = UInt64(chunk.plainBytes) + 24
            $0.handle(.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: wireBytes), now: $1)
            $0.handle(.chunkSent(chunk, wireBytes: wireBytes), now: $1)
        }
    }

    @discardableResult
    mutating func chunkFailed() -> [AgentAction] {
        guard !chunks.isEmpty else { return [] }
        let chunk = chunks.removeFirst()
        return handle(.chunkFailed(chunk, UploadFailure(.unreadable)))
    }

    @discardableResult
    mutating func tick(after duration: Duration) -> [AgentAction] {
        now = now + duration
        return handle(.tick)
    }

    /// Stops the agent, answers every outstanding frame, and commits the journal.
    mutating func comeToRest() {
        handle(.stopped)
        // The second stop ends the grace period of the first.
        handle(.stopped)
        for _ in 0..<3 {
            while !chunks.isEmpty { chunkSent() }
            while !reads.isEmpty { read() }
            for place in left {
                handle(.receivedFrame(.sessionLeft(SessionLeft()), slot: place.slot, from: place.connection))
            }
            left = []
            commit()
        }
    }

    private mutating func note(_ action: AgentAction) {
        switch action {
        case .connect(let id, _): connections.append(id)
        case .close(let id):
            connections.removeAll { $0 == id }
            chunks.removeAll { $0.connection == id }
        case .sendChunk(let chunk): chunks.append(chunk)
        case .readPart(_, let part, _, _, _, _): reads.append(part)
        case .releasePart(_, let part): reads.removeAll { $0 == part }
        case .journal(let sequence, let write):
            lastWrite = sequence
            if case .began(_, let saved) = write { session = saved.session }
        case .finish(_, let outcome, _): outcomes.append(outcome)
        case .send(let id, let slot, let frame):
            switch frame {
            case .sessionOpen, .resumeQuery, .abort, .prove: slots.append((id, slot))
            case .sessionLeave: left.append((id, slot))
            default: break
            }
        case .answered(_, let outcome): answers.append(outcome)
        case .computeEvidence, .checkFile, .report, .keepPins: break
        }
    }

    mutating func connectionLost() -> [AgentAction] {
        guard let id = connections.last else { return [] }
        connections.removeAll { $0 == id }
        chunks.removeAll { $0.connection == id }
        return handle(.connectionLost(id))
    }

    // MARK: Values

    static func stamp(size: UInt64) -> FileStamp {
        FileStamp(
            device: 1, inode: 1, size: size, modification: GatewayDriver.modification,
            change: GatewayDriver.modification)
    }

    static func welcome(_ initialCredit: UInt32, partsMax: UInt32 = 10_000, slotsMax: UInt16 = 8) -> Welcome {
        Welcome(
            version: 1, capabilities: [], slotsMax: slotsMax, chunkBytesMax: 256, initialCreditBytes: initialCredit,
            partBytesMin: 16, partBytesMax: 100_000, partBytesDefault: 1_000, partsMax: partsMax,
            objectBytesMax: 1 << 40, putLimitMilliseconds: 30_000, idleLimitMilliseconds: 60_000, serverTime: 0,
            software: "g", deviceName: "device-1", prefix: "site/", storeIdentity: .zero)
    }

    static func saved(size: UInt64 = 2_500, stored: Int = 2, token: [UInt8] = [1, 2, 3]) -> SavedSession {
        SavedSession(
            session: SessionID(high: 7, low: 7), token: token, partBytes: 1_000, stamp: stamp(size: size),
            parts: Array(GatewayDriver.entries(of: size).prefix(stored)), losses: 0)
    }

    static func resumeState(_ phase: ResumePhase = .ongoing, candidates: UInt32 = 0, wanted: [PartNumber] = []) -> Frame
    {
        .resumeState(
            ResumeState(
                phase: phase, partBytes: 1_000, candidateParts: candidates, partials: [], wanted: wanted,
                token: phase == .ongoing ? [4, 5] : []))
    }

    static func opened(_ session: SessionID, isAdopted: Bool = false) -> Frame {
        .sessionOpened(
            SessionOpened(
                session: session, partBytes: 1_000, token: [4],
                adoption: isAdopted ? .init(candidateParts: 0, partials: []) : nil))
    }

    static func completed(size: UInt64 = 2_500, evidence: ContentEvidence = .none) -> Frame {
        .completed(
            Completed(size: size, evidence: evidence, partBytes: 1_000, etag: "e", version: "", location: "file"))
    }
}

extension Frame {
    var isConnectionError: Bool {
        if case .error(let report) = self { report.scope == .connection } else { false }
    }
}

/// The frames that an agent's machine sends, in order.
func frames(_ actions: [AgentAction]) -> [Frame] {
    actions.compactMap { if case .send(_, _, let frame) = $0 { frame } else { nil } }
}

extension AgentAction {
    /// The action that sends a chunk.
    static func sendChunk(
        _ connection: ConnectionID, _ slot: Slot, _ upload: UploadID, _ part: PartNumber, offset: ByteOffset,
        plainBytes: UInt32
    ) -> AgentAction {
        .sendChunk(
            Chunk(
                connection: connection, slot: slot, upload: upload, part: part, offset: offset, plainBytes: plainBytes))
    }
}
