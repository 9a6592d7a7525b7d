import Logging
import NIOCore
import NIOPosix
import SecureChannel
import TransferCore
import WireProtocol

/// Performs what the agent's machine decides: the one place where frames, files and journal rows meet.
///
/// It lives on one event loop, which is also the loop of its connections. Reading, hashing and compressing run on a
/// thread pool and come back to it.
actor AgentCore {
    struct Configuration: Sendable {
        var host: String
        var port: Int
        /// `nil` for plain TCP.
        var tls: TLSContext?
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
    private let journal: JournalWriter
    private let events: AsyncStream<CoreEvent>.Continuation
    private let logger: Logger
    private let compressors = CompressorPool()

    var machine: Agent
    private var channels: [ConnectionID: any Channel] = [:]
    private var interfaces: NetworkInterfaces
    var sources: [UploadID: Source] = [:]
    /// Parts that are being read, or were and are still wanted: the read's number, and where the part begins.
    var reads: [PartKey: (number: UInt64, start: UInt64)] = [:]
    var lastRead: UInt64 = 0
    var kept: [PartKey: ByteBuffer] = [:]
    private var outbound: [ConnectionID: ByteBuffer] = [:]
    /// The last chunk's write on each connection: chunks go in order, though they are made on several threads.
    private var lastWrites: [ConnectionID: EventLoopFuture<Void>] = [:]
    /// What went to sockets in all, frames and data.
    private(set) var wireBytes: UInt64 = 0
    private var roomWaiters: [CheckedContinuation<Void, Never>] = []
    private var endWaiters: [CheckedContinuation<Void, Never>] = []
    private var isPerforming = false
    private var ticker: RepeatedTask?
    private let clock = ContinuousClock()
    private let startedAt: ContinuousClock.Instant

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(
        machine: @Sendable (Instant) -> Agent, configuration: Configuration, journal: JournalWriter,
        events: AsyncStream<CoreEvent>.Continuation, eventLoop: any EventLoop, threads: NIOThreadPool, logger: Logger
    ) {
        self.machine = machine(Instant(nanoseconds: 0))
        self.configuration = configuration
        self.interfaces = NetworkInterfaces(configuration.interfaces)
        self.journal = journal
        self.events = events
        self.eventLoop = eventLoop
        self.threads = threads
        self.logger = logger
        self.startedAt = clock.now
    }

    // MARK: Commands

    /// Starts the clock.
    func start() {
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(10), delay: .milliseconds(10)) {
            [weak self] _ in self?.assumeIsolated { $0.tick() }
        }
    }

    /// Returns when there is room for one more upload.
    func waitForRoom() async {
        while machine.room == 0 {
            await withCheckedContinuation { roomWaiters.append($0) }
        }
    }

    /// - Parameter source: open already; `nil` for an upload that is only to be dropped.
    func submit(_ request: UploadRequest, from source: UploadSource?) {
        let encoder = ChunkEncoder(choice: configuration.compression, compressors: compressors)
        sources[request.id] = Source(
            file: source?.file, stream: source?.stream, encoder: encoder, request: request)
        machine.submit(request, now: now)
        perform()
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

    /// Returns when no upload to this key is under way: a second file for it meets what the first has left there.
    func waitForEnd(ofKey key: String) async {
        while sources.values.contains(where: { $0.request.key.utf8.elementsEqual(key.utf8) }) {
            await withCheckedContinuation { endWaiters.append($0) }
        }
    }

    /// Everything stops where it is, and is kept.
    func stop() {
        for source in sources.values { source.stream?.stop() }
        machine.stop(now: now)
        perform()
    }

    /// Closes what is left.
    func finish() async {
        ticker?.cancel()
        for channel in channels.values {
            // Closed is what is wanted; a channel that is so already says so.
            try? await channel.close()
        }
    }

    // MARK: Connections, called on the loop

    func connectionLost(_ id: ConnectionID) {
        interfaces.free(id)
        channels[id] = nil
        outbound[id] = nil
        lastWrites[id] = nil
        machine.connectionLost(id, now: now)
        perform()
    }

    /// The gateway has proved who it is, or there is nothing to prove.
    func connected(_ id: ConnectionID) {
        machine.connected(id, now: now)
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

    func receivedMalformed(_ code: ErrorCode, from id: ConnectionID) {
        machine.receivedMalformed(code, from: id, now: now)
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

    var now: Instant { Instant(nanoseconds: 0) + (clock.now - startedAt) }

    private func tick() {
        machine.tick(now: now)
        perform()
    }

    /// Does what the machine has decided, in order. A write may complete at once and bring new decisions: these are
    /// left to the loop that runs already, since nothing may overtake what was decided before.
    func perform() {
        guard !isPerforming else { return }
        isPerforming = true
        var actions = machine.takeActions()
        while !actions.isEmpty {
            for action in actions { perform(action) }
            flush()
            actions = machine.takeActions()
        }
        isPerforming = false
        guard machine.room > 0, !roomWaiters.isEmpty else { return }
        let waiters = roomWaiters
        roomWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    private func flush() {
        let frames = outbound
        outbound.removeAll(keepingCapacity: true)
        for (id, buffer) in frames {
            wireBytes += UInt64(buffer.readableBytes)
            channels[id]?.writeAndFlush(buffer, promise: nil)
        }
    }

    private func perform(_ action: AgentAction) {
        switch action {
        case .connect(let id): connect(id)
        case .send(let id, let slot, let frame): send(frame, slot: slot, on: id)
        case .sendChunk(let id, let slot, let upload, let part, let offset, let plainBytes):
            sendChunk(
                Chunk(connection: id, slot: slot, upload: upload, part: part, offset: offset, plainBytes: plainBytes))
        case .close(let id): close(id)
        case .readPart(let upload, let part, let start, let bytes, let withMD5, let keep):
            readPart(PartKey(upload: upload, part: part), start: start, bytes: bytes, withMD5: withMD5, keep: keep)
        case .releasePart(let upload, let part):
            kept[PartKey(upload: upload, part: part)] = nil
            reads[PartKey(upload: upload, part: part)] = nil
        case .computeEvidence(let upload, let partBytes, let kind):
            computeEvidence(upload, partBytes: partBytes, like: kind)
        case .checkFile(let upload): checkFile(upload)
        case .journal(let sequence, let write): journal.enqueue(sequence, write)
        case .report(let upload, let report): events.yield(.report(upload, report, machine.progress(of: upload)))
        case .finish(let upload, let outcome, let figures): finish(upload, outcome, figures)
        }
    }

    private func finish(_ id: UploadID, _ outcome: UploadOutcome, _ figures: UploadProgress) {
        guard let source = sources.removeValue(forKey: id) else { return }
        source.stream?.stop()
        journal.forget(id)
        events.yield(.finished(id, outcome, figures))
        let waiters = endWaiters
        endWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Connecting and sending

    private func connect(_ id: ConnectionID) {
        let tls = configuration.tls
        let interface = interfaces.choose(for: id)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(20))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                let prepared: EventLoopFuture<Void> = channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(tls.makeHandler()) }
                    try pipeline.addHandler(AgentConnectionHandler(core: self, id: id))
                }
                return prepared.flatMap { NetworkInterfaces.bind(channel, to: interface) }
            }
        bootstrap.connect(host: configuration.host, port: configuration.port).whenComplete { result in
            self.assumeIsolated { core in
                switch result {
                case .success(let channel):
                    core.channels[id] = channel
                    CongestionControl.choose(for: channel)
                    if tls == nil { core.connected(id) }
                case .failure(let error):
                    core.logger.info("Could not connect", metadata: ["error": "\(error)"])
                    core.connectionLost(id)
                }
            }
        }
    }

    private func send(_ frame: Frame, slot: Slot, on id: ConnectionID) {
        guard channels[id] != nil else { return }
        var buffer = outbound[id] ?? ByteBuffer()
        do {
            try frame.encode(slot: slot, into: &buffer)
        } catch {
            logger.error("Could not encode a frame", metadata: ["frame.type": "\(frame.type)", "error": "\(error)"])
        }
        outbound[id] = buffer
    }

    private func close(_ id: ConnectionID) {
        // Not when it is gone at last: on a dead link that takes as long as the system tries.
        interfaces.free(id)
        guard let channel = channels.removeValue(forKey: id) else { return }
        channel.writeAndFlush(outbound.removeValue(forKey: id) ?? ByteBuffer()).whenComplete { _ in
            channel.close(promise: nil)
        }
    }

    private struct Chunk: Sendable {
        var connection: ConnectionID
        var slot: Slot
        var upload: UploadID
        var part: PartNumber
        var offset: ByteOffset
        var plainBytes: UInt32

        var end: ByteOffset { offset &+ UInt64(plainBytes) }
    }

    private typealias Pieces = (head: ByteBuffer, payload: ByteBuffer)

    /// The frame is made where it costs least (here for held plain bytes, else on a thread) and written in its turn.
    private func sendChunk(_ chunk: Chunk) {
        guard let channel = channels[chunk.connection] else {
            // It counted against the rate when it was decided on.
            return machine.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: 0, now: now)
        }
        flush()
        let key = PartKey(upload: chunk.upload, part: chunk.part)
        guard let source = sources[chunk.upload], let start = reads[key]?.start else {
            return inTurn(chunk, eventLoop.makeFailedFuture(UploadFailure(.stopped)), on: channel)
        }
        let held = kept[key]
        let encoder = source.encoder
        let made: EventLoopFuture<Pieces>
        if let held, !encoder.compressesNext {
            made = eventLoop.makeCompletedFuture { try Self.pieces(of: chunk, held: held, encoder) }
        } else {
            made = threads.runIfActive(eventLoop: eventLoop) {
                if let held { return try Self.pieces(of: chunk, held: held, encoder) }
                guard let file = source.file,
                    let plain = try file.read(from: start &+ chunk.offset, count: Int(chunk.plainBytes))
                else { throw UploadFailure(.changed, "the file was cut short while it was being sent") }
                return try encoder.encode(plain, part: chunk.part, offset: chunk.offset, slot: chunk.slot)
            }
        }
        inTurn(chunk, made, on: channel)
    }

    /// Writes a chunk when those before it on its connection have been written, or failed.
    private func inTurn(_ chunk: Chunk, _ made: EventLoopFuture<Pieces>, on channel: any Channel) {
        let previous = lastWrites[chunk.connection] ?? eventLoop.makeSucceededVoidFuture()
        let turn = previous.flatMap { made }.map { pieces in
            self.assumeIsolated { $0.write(pieces, of: chunk, on: channel) }
        }
        turn.whenFailure { error in self.assumeIsolated { $0.chunkFailed(chunk, error) } }
        // A chunk that failed must not hold up those behind it: their parts are dropped by the machine.
        lastWrites[chunk.connection] = turn.recover { _ in }
    }

    private static func pieces(of chunk: Chunk, held: ByteBuffer, _ encoder: ChunkEncoder) throws -> Pieces {
        guard
            let plain = held.getSlice(at: held.readerIndex + Int(clamping: chunk.offset), length: Int(chunk.plainBytes))
        else { throw UploadFailure(.changed, "the file was cut short while it was being sent") }
        return try encoder.encode(plain, part: chunk.part, offset: chunk.offset, slot: chunk.slot)
    }

    private func write(_ pieces: Pieces, of chunk: Chunk, on channel: any Channel) {
        let wireBytes = UInt64(pieces.head.readableBytes + pieces.payload.readableBytes)
        self.wireBytes += wireBytes
        machine.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: wireBytes, now: now)
        channel.write(pieces.head, promise: nil)
        channel.writeAndFlush(pieces.payload).whenComplete { _ in
            // A write that failed is followed by the connection's end, which says all.
            self.assumeIsolated { core in
                core.machine.chunkSent(
                    chunk.connection, upload: chunk.upload, part: chunk.part, end: chunk.end,
                    plainBytes: chunk.plainBytes, wireBytes: wireBytes, now: core.now)
                core.perform()
            }
        }
    }

    private func chunkFailed(_ chunk: Chunk, _ error: any Error) {
        let failure = error as? UploadFailure ?? UploadFailure(.unreadable, "\(error)")
        machine.chunkFailed(
            chunk.connection, upload: chunk.upload, part: chunk.part, plainBytes: chunk.plainBytes, failure: failure,
            now: now)
        perform()
    }
}
