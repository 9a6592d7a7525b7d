import AgentKit
import FolderCore
import Logging
import NIOCore
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore

/// Performs the actions of the folder machine: looks at files, sends them, writes the journal, and deletes or moves
/// what is proven. It decides nothing. One shell serves one set of settings; a reload makes another one.
actor FolderShell {
    /// How often the shell measures what no event reports: the size of the journal, and the free space of folders that
    /// have a limit for it.
    static let measureInterval = Duration.seconds(10)

    let folders: [WatchedFolder]
    let journal: ItemJournal
    let threads: ServiceThreads
    let logger: Logger
    var machine: Folders
    let clock: FolderClock
    private let eventLoop: any EventLoop
    private var timer = DeadlineTimer()
    private var isPerforming = false
    private(set) var isStopped = false

    /// The uploads and questions that have no answer yet, by the bytes of their keys.
    var sends: [[UInt8]: SendUnderWay] = [:]
    var questions: [[UInt8]: RequestID] = [:]
    var orders: OrderRuns?
    var site: DeviceSite?
    /// Why nothing is sent now; `nil` if something is, or nothing is to be sent.
    var waitingReason: String?
    var schedule = RateSchedule.Decision.unlimited
    private var reports: ReportLog
    let scans: ScanCounts
    /// Calls that wait for files, with their marks.
    var flushes = FlushWaits()

    /// - Parameter figures: those of the shell before the reload.
    init(
        _ folders: [WatchedFolder], rules: [FolderRules], limits: FolderLimits, journal: ItemJournal,
        threads: ServiceThreads, eventLoop: any EventLoop, figures: FiguresByFolder, logger: Logger
    ) {
        self.folders = folders
        self.journal = journal
        self.threads = threads
        self.eventLoop = eventLoop
        self.logger = logger
        scans = ScanCounts(folderCount: folders.count)
        clock = FolderClock()
        machine = Folders(
            rules, limits: limits, generator: SystemGenerator(), served: journal.served, now: clock.now)
        reports = ReportLog(folders: folders, logger: logger, figures: figures)
    }

    var figures: FiguresByFolder { reports.figures }

    // MARK: Events

    /// Passes an event to the machine, and performs what it decides. Ignored after `stop`.
    func handle(_ event: FolderEvent) {
        guard !isStopped else { return }
        machine.handle(event, now: clock.now)
        perform()
    }

    /// Performing an action may cause another event at once, so that this method is called again while it is running.
    /// The inner call returns at once, and the running call performs the new actions, too.
    private func perform() {
        guard !isPerforming else { return }
        isPerforming = true
        var actions = machine.takeActions()
        while !actions.isEmpty {
            for action in actions { perform(action) }
            actions = machine.takeActions()
        }
        isPerforming = false
        flushes.endReached { machine.isFlushed($0) }
        armTimer()
    }

    private func armTimer() {
        guard !isStopped, let deadline = machine.nextDeadline else { return }
        timer.arm(for: deadline, now: clock.now.monotonic, on: eventLoop) { [weak self] in
            Task { await self?.timerFired() }
        }
    }

    private func timerFired() {
        timer.fired()
        handle(.tick)
    }

    /// Ends a wait whose caller has left.
    func leave(_ flush: FlushWaits.ID) { flushes.end(flush) }

    /// Ends the shell: no further event has an effect, and no further action is performed.
    func stop() {
        isStopped = true
        timer.cancel()
        flushes.endReached { _ in true }
        scans.stop()
    }

    // MARK: Actions

    private func perform(_ action: FolderAction) {
        switch action {
        case .scan(let request, let folder): scan(request, folder)
        case .look(let request, let folder, let path, let wants):
            answer(from: folder) { .looked(request, $0.look(path, wants)) }
        case .send(let request, let order): send(request, order)
        case .prove(let request, let folder, let path, let proof): prove(request, folder, path, proof)
        case .step(let request, let folder, let step):
            answer(from: folder) { .stepped(request, $0.perform(step)) }
        case .journal(let number, let changes, let served): write(number, changes, served)
        case .recall(let request, let key): recall(request, key)
        case .freeReserve: freeReserve()
        case .report(let report): reports.take(report, of: machine)
        }
    }

    /// Uses the files of a folder on a pool thread, and passes the resulting event to the machine.
    private func answer(from id: FolderID, _ body: @escaping @Sendable (FolderFiles) -> FolderEvent) {
        guard let folder = folders[id] else { return }
        Task {
            guard let event = await threads.files.answer({ body(folder.files) }) else { return }
            handle(event)
        }
    }

    private func freeReserve() {
        // An error means that the pool has ended, and then the space is not needed any more.
        threads.journal.runIfActive(eventLoop: eventLoop) { [journal] in journal.freeReserve() }.whenComplete { _ in }
    }

    private func scan(_ request: RequestID, _ id: FolderID) {
        guard let folder = folders[id] else { return }
        let number = scans.began(id)
        let (stream, batches) = AsyncStream.makeStream(of: [ScanEntry].self)
        let scanning = Task {
            defer { batches.finish() }
            do {
                return try await threads.files.runIfActive {
                    folder.files.scan { entries in
                        batches.yield(entries)
                        return true
                    }
                }
            } catch {
                return "the service is stopping"
            }
        }
        Task {
            for await entries in stream { handle(.scanned(request, entries)) }
            handle(.scanEnded(request, failure: await scanning.value))
            scans.ended(id, number)
            await measure(folder)
        }
    }

    private func write(_ number: TransactionNumber, _ changes: [JournalChange], _ served: ServiceTime) {
        Task {
            do {
                let failure = try await threads.journal.runIfActive { [journal] in
                    journal.write(changes, served: served)
                }
                handle(failure.map { .journalFailed(number, $0) } ?? .journalCommitted(number))
            } catch {
                // The pool has ended, and with it the need for an answer.
            }
        }
    }

    private func recall(_ request: RequestID, _ key: ObjectKey) {
        Task {
            do {
                let wasRemoved = try await threads.journal.runIfActive { [journal] in try journal.wasRemoved(key) }
                handle(.recalled(request, wasRemoved: wasRemoved))
            } catch {
                // An unreadable journal protects the object: it is treated as that of a removed file.
                logger.warning("Could not read the journal of items", metadata: ["error": "\(error)"])
                handle(.recalled(request, wasRemoved: true))
            }
        }
    }

    // MARK: What no event reports

    /// Measures at intervals until the task is cancelled.
    func measureAtIntervals() async {
        while !Task.isCancelled {
            // try?: cancellation ends the sleep early, and the condition of the loop ends the loop.
            try? await Task.sleep(for: Self.measureInterval)
            guard !Task.isCancelled else { return }
            for folder in folders where folder.settings.disk.freeMin != nil { await measure(folder) }
            let size = await threads.journal.answer { [journal] in
                journal.renewReserve()
                return journal.sizeBytes
            }
            if let size { handle(.stateSize(size)) }
        }
    }

    private func measure(_ folder: WatchedFolder) async {
        guard let free = await threads.files.answer({ folder.files.freeBytes() }) ?? nil else { return }
        handle(.space(folder.id, freeBytes: free))
    }
}
