import Logging
import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

/// Performs what the agent's machine decides: the one place where frames, files and journal rows meet.
///
/// It lives on one event loop, which is also the loop of its connections. Reading, hashing and compressing run on a
/// thread pool and come back to it.
actor AgentShell: MachineShell {
    struct Configuration: Sendable {
        var host: String
        var port: Int
        /// What connections are made with at first; `nil` for plain TCP.
        var tls: TLSContext?
        /// `nil` where no keys are pinned.
        var pinKeeper: PinKeeper?
        /// What gateways show in the handshake is kept with their receipts, for those who know the authority.
        var keepsCertificates: Bool
        /// Those that connections are bound to, in turn; none for as the system's routes have it.
        var interfaces: [String]
        var compression: CompressionChoice
        /// Parts up to this size stay in memory between hashing and sending; larger ones are read twice.
        var keptPartBytesMax: UInt64
    }

    struct PartKey: Hashable {
        var upload: UploadID
        var part: PartNumber
    }

    /// An upload's file and what goes with it.
    struct Source {
        var file: SourceFile?
        var stream: SourceStream?
        var encoder: ChunkEncoder
        var request: UploadRequest
    }

    nonisolated let eventLoop: any EventLoop
    let threads: NIOThreadPool
    let configuration: Configuration
    let journal: JournalWriter
    let events: AsyncStream<[ShellEvent]>.Continuation
    let logger: Logger
    private let compressors = CompressorPool()

    var machine: Agent
    /// What connections are made with now.
    var tls: TLSContext?
    /// Done when the pins that are being written are durable, or not; `nil` where none are.
    var pinning: EventLoopFuture<Void>?
    var hasToldOfPins = false
    var state = ShellState<ConnectionID>()
    private var interfaces: NetworkInterfaces
    var sources: [UploadID: Source] = [:]
    /// Files of which gateways are asked.
    var provenFiles: [UploadID: SourceFile] = [:]
    /// Parts that are being read, or were and are still wanted: the read's number, and where the part begins.
    var reads: [PartKey: (number: UInt64, start: UInt64)] = [:]
    var lastRead: UInt64 = 0
    var kept: [PartKey: ByteBuffer] = [:]
    /// The last chunk's write on each connection: chunks go in order, though they are made on several threads.
    var lastWrites: [ConnectionID: EventLoopFuture<Void>] = [:]
    /// What went to sockets in all, frames and data.
    var wireBytes: UInt64 = 0
    /// What this turn of the loop has for others; `nil` where it has nothing yet.
    var turn: Turn?
    var roomWaiters: [CheckedContinuation<Void, Never>] = []
    private var endWaiters: [CheckedContinuation<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(
        machine: @Sendable (Instant) -> Agent, configuration: Configuration, journal: JournalWriter,
        events: AsyncStream<[ShellEvent]>.Continuation, eventLoop: any EventLoop, threads: NIOThreadPool, logger: Logger
    ) {
        self.machine = machine(Instant(nanoseconds: 0))
        self.configuration = configuration
        self.tls = configuration.tls
        self.interfaces = NetworkInterfaces(configuration.interfaces)
        self.journal = journal
        self.events = events
        self.eventLoop = eventLoop
        self.threads = threads
        self.logger = logger
    }

    // MARK: Commands

    /// Waits until there is room for one more upload.
    ///
    /// - Returns: for how many there is.
    func waitForRoom() async -> Int {
        while machine.room == 0 {
            await withCheckedContinuation { roomWaiters.append($0) }
        }
        return machine.room
    }

    /// An upload that is handed in, with its source, open already; `nil` for one that is only to be dropped.
    typealias Submission = (request: UploadRequest, source: UploadSource?)

    func submit(_ submissions: [Submission]) {
        for (request, source) in submissions {
            let encoder = ChunkEncoder(choice: configuration.compression, compressors: compressors)
            sources[request.id] = Source(
                file: source?.file, stream: source?.stream, encoder: encoder, request: request)
            machine.submit(request, now: now)
            perform()
        }
    }

    /// The user drops an upload.
    ///
    /// - Returns: whether it is under way here.
    func drop(_ id: UploadID) -> Bool {
        guard sources[id] != nil else { return false }
        machine.drop(id, now: now)
        perform()
        return true
    }

    /// Waits until nothing is under way to the first of some keys: a second file for a key meets what the first has
    /// left there.
    ///
    /// - Returns: to how many of the keys, from the first on, nothing is under way.
    func waitForFree(_ keys: [String]) async -> Int {
        while true {
            // Keys are bytes: texts that only look alike are two of them.
            let underWay = sources.values.map(\.request.key)
            let alike = Set(underWay)
            let isFree = { (key: String) in
                !alike.contains(key) || !underWay.contains { $0.hasSameBytes(as: key) }
            }
            let count = keys.prefix(while: isFree).count
            if count > 0 || keys.isEmpty { return count }
            await withCheckedContinuation { endWaiters.append($0) }
        }
    }

    /// Stops, with everything kept: the first time within the grace, the second at once.
    func stop() {
        for source in sources.values { source.stream?.stop() }
        machine.stop(now: now)
        perform()
    }

    /// Closes what is left.
    func finish() async {
        stopTimer()
        await finishPinning()
        for channel in state.frames.openChannels {
            // Closed is what is wanted; a channel that is so already says so.
            try? await channel.close()
        }
    }

    // MARK: Connections, called on the loop

    func connectionLost(_ id: ConnectionID) {
        interfaces.free(id)
        state.frames.lost(id)
        lastWrites[id] = nil
        machine.connectionLost(id, now: now)
        perform()
    }

    /// The gateway has proved who it is, or there is nothing to prove.
    func connected(_ id: ConnectionID, by gateway: GatewayProof?) {
        machine.connected(id, by: gateway, now: now)
        perform()
    }

    /// The connection could not be made secure.
    func receivedTLSError(_ error: TLSError, from id: ConnectionID) {
        logger.info("TLS failed", metadata: ["tls.error": "\(error.shortDescription)"])
        guard let failure = UploadFailure(error) else { return }
        machine.rejected(failure, by: id, now: now)
        perform()
    }

    func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID) {
        // The one that comes in its place goes out by the same.
        if case .goAway = frame { interfaces.free(id) }
        machine.receivedFrame(frame, slot: slot, from: id, now: now)
        perform()
    }

    func receivedMalformed(_ code: ErrorCode, message: String, from id: ConnectionID) {
        machine.receivedMalformed(code, message: message, from: id, now: now)
        perform()
    }

    // MARK: Journal

    func journalCommitted(through sequence: JournalSequence) {
        machine.journalCommitted(through: sequence, now: now)
        perform()
    }

    func journalFailed(_ failure: UploadFailure) {
        machine.journalFailed(failure, now: now)
        perform()
    }

    // MARK: Performing

    func takeActions() -> [AgentAction] { machine.takeActions() }

    func framesWritten(bytes: UInt64) { wireBytes += bytes }

    func actionsPerformed() {
        if machine.room > 0, !roomWaiters.isEmpty { atTurnsEnd { $0.hasRoom = true } }
    }

    var nextDeadline: Instant? { machine.nextDeadline }

    func tick() { machine.tick(now: now) }

    func perform(_ action: AgentAction) {
        switch action {
        case .connect(let id): connect(id)
        case .send(let id, let slot, let frame): send(frame, slot: slot, on: id)
        case .sendChunk(let id, let slot, let upload, let part, let offset, let plainBytes):
            sendChunk(
                Chunk(connection: id, slot: slot, upload: upload, part: part, offset: offset, plainBytes: plainBytes))
        case .close(let id):
            // Not when it is gone at last: on a dead link that takes as long as the system tries.
            interfaces.free(id)
            closeConnection(id)
        case .readPart(let upload, let part, let start, let bytes, let withMD5, let keep):
            readPart(PartKey(upload: upload, part: part), start: start, bytes: bytes, withMD5: withMD5, keep: keep)
        case .releasePart(let upload, let part):
            kept[PartKey(upload: upload, part: part)] = nil
            reads[PartKey(upload: upload, part: part)] = nil
        case .computeEvidence(let upload, let bytes, let partBytes, let kind):
            computeEvidence(upload, bytes: bytes, partBytes: partBytes, like: kind)
        case .checkFile(let upload): checkFile(upload)
        case .journal(let sequence, let write):
            journal.enqueue(sequence, write)
            atTurnsEnd { $0.hasWritten = true }
        case .report(let upload, let report):
            let progress = machine.progress(of: upload)
            atTurnsEnd { $0.events.append(.report(upload, report, progress)) }
        case .keepPins(let pins): keepPins(pins)
        case .finish(let upload, let outcome, let figures): finish(upload, outcome, figures)
        case .answered(let proof, let outcome): answered(proof, outcome)
        }
    }

    private func finish(_ id: UploadID, _ outcome: UploadOutcome, _ figures: UploadProgress) {
        guard let source = sources.removeValue(forKey: id) else { return }
        source.stream?.stop()
        journal.forget(id)
        atTurnsEnd { $0.events.append(.finished(id, outcome, figures)) }
        let waiters = endWaiters
        endWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Connecting and sending

    private func connect(_ id: ConnectionID) {
        let (tls, keepsCertificates) = (tls, configuration.keepsCertificates)
        let interface = interfaces.choose(for: id)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(20))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                let prepared: EventLoopFuture<Void> = channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let security = try tls?.makeHandler()
                    if let security { try pipeline.addHandler(security) }
                    try pipeline.addHandler(FlushGatherer())
                    try pipeline.addHandler(
                        AgentConnectionHandler(
                            shell: self, id: id, keepingCertificatesOf: keepsCertificates ? security : nil))
                }
                return prepared.flatMap { NetworkInterfaces.bind(channel, to: interface) }
            }
        bootstrap.connect(host: configuration.host, port: configuration.port).whenComplete { result in
            self.assumeIsolated { shell in
                switch result {
                case .success(let channel):
                    shell.state.frames.opened(id, channel)
                    CongestionControl.choose(for: channel)
                    if tls == nil { shell.connected(id, by: nil) }
                case .failure(let error):
                    shell.logger.info("Could not connect", metadata: ["error": "\(error)"])
                    shell.connectionLost(id)
                }
            }
        }
    }

    private func send(_ frame: Frame, slot: Slot, on id: ConnectionID) {
        do {
            try state.frames.append(to: id) { try frame.encode(slot: slot, into: &$0) }
        } catch {
            logger.error("Could not encode a frame", metadata: ["frame.type": "\(frame.type)", "error": "\(error)"])
        }
    }
}
