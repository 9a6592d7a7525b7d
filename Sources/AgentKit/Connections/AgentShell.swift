import Logging
import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

/// Performs the actions of the agent's state machine: sends frames, reads files and writes the journal.
///
/// The shell and its connections share one event loop. Reading, hashing and compressing run on a thread pool, and the
/// results return to this loop.
actor AgentShell: MachineShell {
    struct Configuration: Sendable {
        var dialer: GatewayDialer
        /// The TLS context of connections until newly pinned keys replace it.
        var tls: PinnedTLS
        /// Whether to keep the gateway's certificates with its receipts, for verifiers that trust a certificate
        /// authority.
        var keepsCertificates: Bool
        var compression: CompressionChoice
        /// Parts up to this size stay in memory between hashing and sending; larger parts are read from the file twice.
        var keptPartBytesMax: UInt64
        /// Called once, when the machine ends the run. From then on the run submits no further work to the shell.
        /// The text is why the last attempt to connect failed, if the run ends without a gateway.
        var runEnded: @Sendable (UploadFailure, String?) -> Void
    }

    nonisolated let eventLoop: any EventLoop
    let threads: NIOThreadPool
    let configuration: Configuration
    let journal: JournalWriter
    let events: EventBuffer
    let logger: Logger
    private let compressors = CompressorPool()

    var machine: Agent
    private var tls: PinnedTLS
    var state = ShellState<ConnectionID>()
    var sources: SourceTable
    /// The newest chunk's write on each connection. The next chunk waits for it, which keeps the chunks in order.
    var lastWrites: [ConnectionID: EventLoopFuture<Void>] = [:]
    /// Bytes written to sockets in total, frames and data.
    var wireBytes: UInt64 = 0
    /// Work for other threads that this turn of the loop has collected so far; `nil` if there is none.
    var turn: ShellTurn?
    var roomWaiters = Waiters()
    private var endWaiters = Waiters()
    var absence = GatewayAbsence()
    private var isEndTold = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(
        machine: @Sendable (Instant) -> Agent, configuration: Configuration, journal: JournalWriter,
        events: EventBuffer, eventLoop: any EventLoop, threads: NIOThreadPool, logger: Logger
    ) {
        self.machine = machine(Instant(nanoseconds: 0))
        self.configuration = configuration
        self.tls = configuration.tls
        self.sources = SourceTable(keptPartBytesMax: configuration.keptPartBytesMax)
        self.journal = journal
        self.events = events
        self.eventLoop = eventLoop
        self.threads = threads
        self.logger = logger
    }

    // MARK: Commands

    /// Waits until there is room for one more upload.
    ///
    /// - Returns: how many more uploads there is room for, at least 1.
    func waitForRoom() async -> Int {
        while machine.room == 0 {
            await withCheckedContinuation { roomWaiters.add($0) }
        }
        return machine.room
    }

    /// An upload to submit, and the source of its bytes. The source is `nil` if the upload is submitted to be dropped.
    typealias Submission = (request: UploadRequest, source: UploadSource?)

    func submit(_ submissions: [Submission]) {
        for (request, source) in submissions {
            let encoder = ChunkEncoder(choice: configuration.compression, compressors: compressors)
            sources.add(.init(bytes: source, encoder: encoder, request: request))
            handle(.submitted(request))
        }
    }

    /// Drops an upload at the user's command.
    ///
    /// - Returns: whether the upload is active in this run.
    func drop(_ id: UploadID) -> Bool {
        guard sources.contains(id) else { return false }
        handle(.dropped(id))
        return true
    }

    /// Waits until the first of these keys has no active upload. If two files have the same key, the later file thus
    /// begins after the earlier one has ended, and is compared with the object that the earlier one made.
    ///
    /// - Returns: the number of keys, counted from the first, that have no active upload.
    func waitForFree(_ keys: [String]) async -> Int {
        while true {
            let count = machine.freeKeyCount(of: keys)
            if count > 0 || keys.isEmpty { return count }
            await withCheckedContinuation { endWaiters.add($0) }
        }
    }

    func limitRate(to bytesPerSecond: UInt64?) { handle(.rateLimited(bytesPerSecond)) }

    /// Stops all uploads: within the grace period at the first call, at once at the second. The journal keeps them.
    func stop() {
        for stream in sources.streams { stream.stop() }
        handle(.stopped)
    }

    /// Waits until pins are written, and closes the remaining connections.
    func finish() async {
        stopTimer()
        // try?: if the write fails, `PinnedTLS.ended` logs the failure.
        while let writing = tls.writing { try? await writing.get() }
        for channel in state.frames.openChannels {
            // Closing fails only if the channel is closed already.
            try? await channel.close()
        }
    }

    // MARK: Connections, called on the loop

    func connectionLost(_ id: ConnectionID, _ reason: String = GatewayAbsence.connectionEnded) {
        state.frames.lost(id)
        lastWrites[id] = nil
        absence.connectionFailed(id, reason)
        handle(.connectionLost(id))
    }

    /// Logs a TLS error. If another attempt would fail, too, reports to the machine that the connection was rejected.
    func receivedTLSError(_ error: TLSError, from id: ConnectionID) {
        logger.info("TLS failed", metadata: ["tls.error": "\(error.shortDescription)"])
        guard let failure = UploadFailure(error) else {
            return absence.connectionEnds(id, GatewayAbsence.reason(error))
        }
        handle(.rejected(failure, by: id))
    }

    func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID) {
        if slot == .connection, case .error(let report) = frame {
            absence.connectionEnds(id, GatewayAbsence.reason(report))
        }
        handle(.receivedFrame(frame, slot: slot, from: id))
    }

    // MARK: Journal

    func journalCommitted(through sequence: JournalSequence) {
        handle(.journalCommitted(through: sequence))
    }

    func journalFailed(_ failure: UploadFailure) {
        handle(.journalFailed(failure))
    }

    // MARK: Performing

    func takeActions() -> [AgentAction] {
        if !isEndTold, let failure = machine.verdict {
            isEndTold = true
            configuration.runEnded(failure, absence.reason)
            atTurnsEnd { $0.events.append(.ended(failure)) }
        }
        return machine.takeActions()
    }

    func framesWritten(bytes: UInt64) { wireBytes += bytes }

    /// Passes an event to the machine and performs what the machine decides.
    func handle(_ event: AgentEvent) {
        machine.handle(event, now: now)
        perform()
    }

    func actionsPerformed() {
        if machine.room > 0, !roomWaiters.isEmpty { atTurnsEnd { $0.hasRoom = true } }
        if let notice = absence.notice(of: machine.wait, now: now) {
            atTurnsEnd { $0.events.append(.awaitingGateway(notice)) }
        }
    }

    var nextDeadline: Instant? { earlier(absence.nextDeadline, machine.nextDeadline) }

    func tick() { machine.handle(.tick, now: now) }

    func perform(_ action: AgentAction) {
        switch action {
        case .connect(let id, let interface): connect(id, by: interface)
        case .send(let id, let slot, let frame): send(frame, slot: slot, on: id)
        case .sendChunk(let chunk): sendChunk(chunk)
        case .close(let id): closeConnection(id)
        case .readPart(let upload, let part, let start, let bytes, let withMD5, let keep):
            readPart(.init(upload: upload, part: part), start: start, bytes: bytes, withMD5: withMD5, keep: keep)
        case .releasePart(let upload, let part): sources.releasePart(.init(upload: upload, part: part))
        case .computeEvidence(let upload, let bytes, let partBytes, let kind):
            computeEvidence(upload, bytes: bytes, partBytes: partBytes, like: kind)
        case .checkFile(let upload): checkFile(upload)
        case .journal(let sequence, let write):
            journal.enqueue(sequence, write)
            atTurnsEnd { $0.hasWritten = true }
            if case .site(let site) = write { atTurnsEnd { $0.events.append(.site(site)) } }
        case .report(let upload, let report):
            let progress = machine.progress(of: upload)
            atTurnsEnd { $0.events.append(.report(upload, report, progress)) }
        case .keepPins(let pins): keepPins(pins)
        case .finish(let upload, let outcome, let figures): finish(upload, outcome, figures)
        case .answered(let proof, let outcome): answered(proof, outcome)
        }
    }

    private func finish(_ id: UploadID, _ outcome: UploadOutcome, _ figures: UploadProgress) {
        guard let source = sources.remove(id) else { return }
        source.bytes?.stream?.stop()
        journal.forget(id)
        atTurnsEnd { $0.events.append(.finished(id, outcome, figures)) }
        endWaiters.resumeAll()
    }

    // MARK: Connecting and sending

    private func connect(_ id: ConnectionID, by interface: String?) {
        let (tls, keepsCertificates) = (tls.context, configuration.keepsCertificates)
        let connected = configuration.dialer.connect(on: eventLoop, tls: tls, by: interface) { security in
            AgentConnectionHandler(shell: self, id: id, keepingCertificatesOf: keepsCertificates ? security : nil)
        }
        connected.whenComplete { result in
            self.assumeIsolated { shell in
                switch result {
                case .success(let channel):
                    shell.state.frames.opened(id, channel)
                    if tls == nil {
                        let host = shell.configuration.dialer.host
                        shell.handle(.withoutTLS(id, to: channel.remoteAddress, host))
                    }
                case .failure(let error):
                    shell.logger.info("Could not connect", metadata: ["error": "\(error)"])
                    shell.connectionLost(id, GatewayAbsence.reason(error))
                }
            }
        }
    }

    private func keepPins(_ pins: [SHA256Digest]) {
        guard let kept = tls.keep(pins, on: threads, eventLoop: eventLoop) else {
            return machine.handle(.pinsKept(isDurable: false), now: now)
        }
        kept.whenComplete { result in
            self.assumeIsolated { shell in
                let isDurable = shell.tls.ended(result, logger: shell.logger)
                shell.handle(.pinsKept(isDurable: isDurable))
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
