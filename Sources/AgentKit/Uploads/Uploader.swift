import Cryptography
import FoundationEssentials
package import Logging
import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport
package import TransferCommon
package import TransferCore
import WireProtocol

/// Uploads files through a gateway, and resumes unfinished uploads from the journal.
package struct Uploader: Sendable {
    /// Options of a run; the defaults equal those of the command line.
    package struct Configuration: Sendable {
        package var host: String
        package var port: Int
        package var limits = AgentLimits()
        package var compression = CompressionChoice.auto
        package var policy = ExistingKeyPolicy.verify
        /// Names of network interfaces for the connections, assigned in turn. At least one connection uses each
        /// interface. Empty to follow the system's routing table.
        package var interfaces: [String] = []
        package var partBytesWish: UInt64?
        /// User metadata and content type of each object.
        package var metadata = SessionMetadata.none
        /// Time between two examinations of a file that a process may be writing.
        package var settle = usualSettle
        package static let usualSettle = Duration.seconds(5)
        /// Required size in bytes of the single file or stream; `nil` for any size.
        package var expectedBytes: UInt64?
        /// Whether to request signed receipts from the gateway. A resumed upload keeps the choice with which it began.
        package var wantsReceipts = false
        /// Whether to read and compare also files whose stamp shows that they are unchanged since they were stored.
        package var readsUnchanged = false
        /// Whether to connect over plain TCP, without TLS; allowed on loopback only.
        package var isPlaintext = false
        /// Name and version of the program, sent in HELLO.
        package var software: String

        package init(host: String, port: Int, software: String) {
            self.host = host
            self.port = port
            self.software = software
        }
    }

    /// The work of a run.
    package enum Work: Sendable {
        /// Pushes files.
        ///
        /// - Parameters:
        ///   - paths: paths of files and directories; or only `-` for standard input, which needs `key`.
        ///   - key: key of the only file that `paths` names; `nil` to derive keys from names.
        ///   - prefix: text that is put before every key.
        case push(paths: [String], key: String?, prefix: String, filter: FileFilter)
        /// Pushes the standard output of a program, if the program succeeds.
        ///
        /// - Parameter command: name and arguments of the program.
        case pushOutput(of: [String], key: String)
        /// Resumes and drops unfinished uploads.
        ///
        /// - Parameters:
        ///   - resume: numbers of the uploads to resume; `nil` for all.
        ///   - path: new path of the file, if it was moved.
        ///   - drop: numbers of the uploads to drop.
        case unfinished(resume: [UploadID]?, path: String?, drop: [UploadID])
        /// Asks a gateway whether the store holds files.
        case check(FileChoice, CheckOptions)
        /// Performs the orders of a program that runs for a long time, until it finishes them.
        case orders(UploadOrders)

        fileprivate var nextStep: NextStep {
            switch self {
            case .push(paths: [SourceStream.path], _, _, _), .pushOutput: .pushStream
            case .push: .push
            case .orders: .service
            case .unfinished: idsIfOnlyDropped == nil ? .pushOrResume : .drop
            case .check: .check
            }
        }

        fileprivate var idsIfOnlyDropped: [UploadID]? {
            guard case .unfinished(let resumed, _, let dropped) = self, let resumed, resumed.isEmpty else { return nil }
            return dropped
        }
    }

    /// How often a run checks whether another process has marked an upload to be dropped.
    private static let markInterval = Duration.milliseconds(500)

    /// At the end of a run the agent waits for the gateway's `close_notify`. The limit is short, so that a dead link
    /// does not delay the end of the command.
    private static let tlsLimits: TLSLimits = {
        var limits = TLSLimits()
        limits.closing = .seconds(1)
        limits.closingPeriodsMax = 1
        return limits
    }()

    /// Maximum total size of the parts that stay in memory between hashing and sending. A part that is larger than its
    /// share of this memory is read from the file a second time.
    private static let keptBytesMax: UInt64 = 64 << 20

    let home: AgentHome
    package var configuration: Configuration
    let logger: Logger
    private let lock: AgentHome.Lock?

    /// - Parameter lock: the lock of the home, if the caller holds it for longer than a run; otherwise each run takes
    ///   it.
    package init(home: AgentHome, configuration: Configuration, logger: Logger, lock: AgentHome.Lock? = nil) {
        self.home = home
        self.configuration = configuration
        self.logger = logger
        self.lock = lock
    }

    /// Performs the work until it ends. Cannot be stopped.
    ///
    /// - Parameter observe: called with each event, in order.
    package func run(
        _ work: Work, observe: @Sendable @escaping (UploadEvent) -> Void
    ) async throws -> RunSummary {
        try await run(work, control: UploadControl(), observe: observe)
    }

    /// Performs the work until it ends or `control` stops it. A later run can resume unfinished uploads.
    package func run(
        _ work: Work, control: UploadControl, observe: @Sendable @escaping (UploadEvent) -> Void
    ) async throws -> RunSummary {
        if let ids = work.idsIfOnlyDropped, home.isBusy {
            return try await DropMark(home: home, logger: logger, control: control).drop(ids, observe: observe)
        }
        if case .push(paths: [SourceStream.path], _, _, _) = work { try SourceStream.checkStandardInput() }
        let descriptors = DescriptorLimit.current
        if let shortage = DescriptorLimit.shortage(of: descriptors) { throw UploadFailure(.tooManyOpenFiles, shortage) }
        try checkInterfaces()
        let lock = try self.lock ?? home.lock()
        let identity = try home.identity()
        let trust = configuration.isPlaintext ? nil : try home.gatewayTrust(connectedHost: configuration.host)
        let tls = try trust.map { try TLSContext.agent(identity: identity, gateway: $0, limits: Self.tlsLimits) }
        let pins = try pinsToGoBy()
        let (journal, site) = try await NIOThreadPool.singleton.runIfActive { [home, logger] in
            let journal = try AgentJournal.open(home, isOwner: true, logger: logger)
            return (journal, try journal.site())
        }
        let writer = JournalWriter(journal: journal)
        let events = EventBuffer()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let threads = NIOThreadPool(numberOfThreads: max(2, System.coreCount))
        threads.start()
        let shell = makeShell(
            identity, tls, pins, DescriptorPlan(limit: descriptors), keepsCertificates: trust?.isAuthority == true,
            site: site, writer, events, group, threads, control)
        await control.attach(shell)
        if let site { observe(.site(site)) }
        let summary = await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                await writer.run(
                    committed: { await shell.journalCommitted(through: $0) },
                    failed: { await shell.journalFailed($0) })
            }
            tasks.addTask {
                let feeder = UploadFeeder(
                    home: home, shell: shell, journal: journal, writer: writer, configuration: configuration,
                    threads: threads, control: control)
                await feeder.feed(work, events: events)
            }
            let watch = Task { await dropWhatIsMarked(journal, shell, threads) }
            let summary = await addUp(work, events, control, observe)
            watch.cancel()
            await watch.value
            writer.finish()
            await tasks.waitForAll()
            return summary
        }
        var finished = summary
        finished.step = work.nextStep
        finished.ending = control.ending.map { explained($0, control) }
        finished.wireBytes = await shell.wireBytes
        let hasFailed = control.hasJournalFailed || summary.failedKinds.contains(.journalFull)
        finished.unfinished = await close(journal, on: threads, failed: hasFailed)
        control.detach()
        await shell.finish()
        try await threads.shutdownGracefully()
        try await group.end()
        withExtendedLifetime(lock) {}
        return finished
    }

    /// Closes the journal. Returns no uploads if the journal cannot be read: an earlier write has then failed for the
    /// same reason and was reported.
    private func close(
        _ journal: Journal, on threads: NIOThreadPool, failed hasFailed: Bool
    ) async -> UnfinishedCounts {
        do {
            return try await threads.runIfActive { [home] in
                let counts = try journal.unfinishedCounts()
                // try?: the end of the process closes the file, too. The next run then examines the journal.
                try? AgentJournal.close(journal, of: home, failed: hasFailed)
                return counts
            }
        } catch {
            return UnfinishedCounts()
        }
    }

    /// The pinned keys that the gateway may prove. Empty on plain TCP, and if a certificate authority identifies the
    /// gateway.
    private func pinsToGoBy() throws(AgentHomeError) -> [Fingerprint] {
        guard !configuration.isPlaintext else { return [] }
        let pins = try home.pins()
        if let problem = pins.problem {
            logger.warning("Only the configured pin identifies the gateway", metadata: ["problem": "\(problem)"])
        }
        return pins.keys
    }

    private func checkInterfaces() throws(UploadFailure) {
        let missing = try NetworkInterfaces.missing(of: configuration.interfaces)
        guard !missing.isEmpty else { return }
        logger.warning(
            "A network interface is missing; it is used as soon as it appears",
            metadata: ["interface": "\(missing.joined(separator: ", "))"])
    }

    private func dropWhatIsMarked(_ journal: Journal, _ shell: AgentShell, _ threads: NIOThreadPool) async {
        var told: Set<UploadID> = []
        while !Task.isCancelled {
            // try?: if the journal is unreadable, the run ends at its next write.
            let marked = (try? await threads.runIfActive { try journal.dropping() }) ?? []
            for id in marked where !told.contains(id) {
                // `drop` returns false for an upload that was not submitted yet: try again in the next round.
                if await shell.drop(id) { told.insert(id) }
            }
            // try?: cancellation ends the sleep early, and the condition of the loop ends the loop.
            try? await Task.sleep(for: Self.markInterval)
        }
    }

    private func makeShell(
        _ identity: Identity, _ tls: TLSContext?, _ pins: [Fingerprint], _ plan: DescriptorPlan,
        keepsCertificates: Bool, site: DeviceSite?, _ writer: JournalWriter, _ events: EventBuffer,
        _ group: MultiThreadedEventLoopGroup, _ threads: NIOThreadPool, _ control: UploadControl
    ) -> AgentShell {
        var generator = SystemRandomNumberGenerator()
        let run = RunID.random(using: &generator)
        let who = AgentIdentity(
            fingerprint: identity.fingerprint.digest, run: run,
            capabilities: configuration.compression == .never ? [] : .lz4, pins: pins.map(\.digest),
            software: configuration.software)
        var limits = configuration.limits
        limits.connections = max(limits.connections, configuration.interfaces.count)
        limits.interfaces = configuration.interfaces
        plan.apply(to: &limits)
        let keeper = PinKeeper(home: home, identity: identity, limits: Self.tlsLimits)
        return AgentShell(
            machine: { [limits] now in
                Agent(
                    limits: limits, identity: who, cryptography: FileCryptography(),
                    generator: SystemGenerator(), site: site, now: now)
            },
            configuration: .init(
                dialer: GatewayDialer(host: configuration.host, port: configuration.port),
                tls: PinnedTLS(tls, keeper: pins.isEmpty ? nil : keeper), keepsCertificates: keepsCertificates,
                compression: configuration.compression,
                keptPartBytesMax: Self.keptBytesMax / UInt64(max(limits.concurrency, 1)),
                runEnded: { control.end($0, reasonOfAbsence: $1) }),
            journal: writer, events: events, eventLoop: group.next(), threads: threads, logger: logger)
    }

    private func explained(_ failure: UploadFailure, _ control: UploadControl) -> UploadFailure {
        failure.explained(reasonOfAbsence: control.reasonOfAbsence, isPlaintext: configuration.isPlaintext)
    }

    private func addUp(
        _ work: Work, _ events: EventBuffer, _ control: UploadControl, _ observe: @Sendable (UploadEvent) -> Void
    ) async -> RunSummary {
        var summary = RunSummary()
        if configuration.wantsReceipts { summary.withoutReceipt = 0 }
        var names: [UploadID: (path: String, key: String, purpose: UploadRequest.Purpose)] = [:]
        var questions: [UploadID: UInt64] = [:]
        var waits = WaitNews()
        var submitted: Int?
        var ended = 0
        let start = ContinuousClock.now
        while ended != submitted {
            for event in await events.next() {
                switch event {
                case .submitted(let id, let path, let key, let purpose):
                    names[id] = (path, key, purpose)
                case .note(let key, let text): observe(.note(key: key, text))
                case .site(let site): observe(.site(site))
                case .leftOut(let files):
                    summary.specialFiles = files
                case .awaitingGateway(let notice):
                    let gateway = (configuration.host, configuration.port)
                    observe(.awaitingGateway(notice.sentence(gateway, now: Date(), then: work.nextStep)))
                case .ended(let failure):
                    if failure.kind != .stopped { observe(.ended(explained(failure, control))) }
                case .allSubmitted(let count, let notBegun):
                    submitted = count
                    summary.notBegun = notBegun
                case .refused(let path, let key, let failure, let isResumable):
                    var figures = UploadProgress(size: 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
                    figures.isResumable = isResumable
                    summary.add(.failed(failure), figures, path: path, key: key)
                    observe(.finished(path: path, key: key, .failed(failure), figures))
                case .report(let id, let report, let progress):
                    guard let key = names[id]?.key, waits.isNews(report, of: id) else { continue }
                    report.events(key: key, progress).forEach(observe)
                case .finished(let id, let end, var figures):
                    let outcome: UploadOutcome =
                        if case .failed(let failure) = end { .failed(explained(failure, control)) } else { end }
                    waits.forget(id)
                    guard let (path, key, purpose) = names.removeValue(forKey: id) else { continue }
                    figures.isDropping = purpose == .abort
                    ended += 1
                    if outcome == .dropped, purpose != .abort {
                        // Another command dropped this upload. For the run it counts as a failure, because a file that
                        // the user wanted to push is not stored.
                        let failure = UploadFailure(.superseded, "it was dropped by another command")
                        summary.add(.failed(failure), figures, path: path, key: key)
                    } else {
                        summary.add(outcome, figures, path: path, key: key)
                    }
                    observe(.finished(path: path, key: key, outcome, figures))
                case .asked(let id, let path, let key, let bytes):
                    names[id] = (path, key, .push)
                    questions[id] = bytes
                case .answered(let id, let answer):
                    let outcome: ProofOutcome =
                        if case .failed(let failure) = answer { .failed(explained(failure, control)) } else { answer }
                    guard let name = names.removeValue(forKey: id), let bytes = questions.removeValue(forKey: id)
                    else { continue }
                    ended += 1
                    observe(.checked(CheckedFile(path: name.path, key: name.key, outcome, fileBytes: bytes)))
                case .checked(let file):
                    observe(.checked(file))
                }
            }
        }
        summary.seconds = (ContinuousClock.now - start).inSeconds
        return summary
    }
}

extension RunSummary {
    /// Counts an ended upload.
    package mutating func add(_ outcome: UploadOutcome, _ figures: UploadProgress, path: String, key: String) {
        files += 1
        bytesSent += figures.bytesSent
        bytesResumed += figures.bytesResumed
        switch outcome {
        case .stored(let receipt, _):
            bytes += receipt.size
            if receipt.isUnchanged { unchanged += 1 }
            switch receipt.signed {
            case .notAskedFor: break
            case .kept: withoutReceipt = withoutReceipt ?? 0
            case .missing: withoutReceipt = (withoutReceipt ?? 0) + 1
            }
        case .dropped: files -= 1
        case .failed(let failure):
            if failure.isKept, figures.isResumable { bytesKept += figures.storedBytes }
            guard failures.count < Self.failuresMax else {
                unlisted[failure.kind, default: 0] += 1
                return
            }
            let step = NextStep(after: failure, path: path, figures)
            failures.append(Failure(path: path, key: key, failure: failure, step: step))
        }
    }
}

extension TLSContext.GatewayTrust {
    fileprivate var isAuthority: Bool {
        if case .authority = self { true } else { false }
    }
}
