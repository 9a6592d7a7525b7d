package import TransferCommon

/// The moments of an event. Timers use the monotonic clock, which stands still while the computer sleeps: no program
/// writes meanwhile. Grace uses the time since boot, which includes sleep.
package struct FolderTime: Hashable, Sendable {
    package var monotonic: Instant
    package var sinceBoot: Instant

    package init(monotonic: Instant, sinceBoot: Instant) {
        self.monotonic = monotonic
        self.sinceBoot = sinceBoot
    }

    /// A computer that never sleeps.
    package init(_ moment: Instant) {
        self.init(monotonic: moment, sinceBoot: moment)
    }
}

/// One folder: its settings, its scan, and the queues of its items.
struct FolderState: Hashable, Sendable {
    let rules: FolderRules
    var scan: FolderScan
    var space: DiskSpace
    var isWatched = false
    var isPaused = false
    /// Items in the phase `ready`.
    var sending = TurnQueue()
    /// Proven items, in the order of their proofs. The rank is the service time of the proof in nanoseconds, and later
    /// if a removal was refused.
    var proven = TurnQueue()
    /// Items that may be shed. Empty unless the folder sheds.
    var ages = TurnQueue()
    /// Whether files may be deleted early. One report of the free space allows one round of deletions, because the
    /// space that they free shows only in the next report.
    var mayDeleteEarly = false

    init(_ rules: FolderRules, now: Instant) {
        self.rules = rules
        self.scan = FolderScan(now: now)
        self.space = DiskSpace(freeBytesMin: rules.freeBytesMin)
    }
}

/// What a request is about.
enum Asked: Hashable, Sendable {
    case scan(FolderID)
    /// A look because an item settles.
    case item(ItemID)
    /// A look because the content is confirmed after sending.
    case confirmation(ItemID)
    /// A look because a notification named the path.
    case notice(FolderID, ItemPath, Notice)
    /// A look because the inode of the item was seen at another path.
    case rename(ItemID, ItemPath, isAnnounced: Bool)
    case sending(ItemID)
    case recall(ItemID)
    case step(ItemID)
    case proving(ItemID)
}

/// What all parts of the machine share. They change items only by its functions, so that every phase has its timer and
/// its place in a queue.
struct FolderContext: Hashable, Sendable {
    /// The time between two transactions with the service time, if grace counts in it.
    static let checkpointInterval = Duration.seconds(3_600)
    /// The time after which an unchanged file counts as complete although the report that its folder needs is missing.
    static let unreportedDelay = Duration.seconds(600)

    let limits: FolderLimits
    var folders: [FolderState]
    var items = ItemTable()
    var journal = JournalQueue()
    var wakes = WakeQueue()
    var gate = SendGate()
    /// The file with which the gate was closed last.
    var suspect: GateSuspect?
    var rate = RateSchedule.Decision.unlimited
    /// The lowest priority that is sent while the network is metered; `nil` while it is not.
    var meteredPriority: UInt8?
    var store: StoreIdentity?
    var actions: [FolderAction] = []
    var now: Instant
    /// When the journal was given the service time last.
    var writtenAt: Instant
    var served: ServiceTime
    var generator: FolderGenerator
    /// Looks that a notification or a scan asks for, and that have not begun.
    var lookBacklog: [Asked] = []
    /// How many entries at the front of `lookBacklog` have been taken.
    var lookBacklogTaken = 0
    var looking = 0
    var sending = 0
    /// The folder whose item was sent last.
    var servedFolder = 0
    var removing = 0
    var isStateFull = false
    var hasStarted = false
    private var asked: [RequestID: Asked] = [:]
    private var requestNumber: UInt64 = 0
    private var sinceBoot: Instant

    init(
        _ rules: [FolderRules], _ limits: FolderLimits, generator: FolderGenerator, served: ServiceTime, now: FolderTime
    ) {
        self.limits = limits
        self.folders = rules.map { FolderState($0, now: now.monotonic) }
        self.now = now.monotonic
        self.writtenAt = now.monotonic
        self.sinceBoot = now.sinceBoot
        self.served = served
        self.generator = generator
        self.items.seconds = secondsSinceBoot
    }

    mutating func advance(to time: FolderTime) {
        now = max(now, time.monotonic)
        served += time.sinceBoot.since(sinceBoot)
        sinceBoot = max(sinceBoot, time.sinceBoot)
        items.seconds = secondsSinceBoot
    }

    /// The present time in whole seconds, as `Item.pendingSince` counts it.
    private var secondsSinceBoot: UInt32 { UInt32(clamping: sinceBoot.nanoseconds / 1_000_000_000) }

    func rules(of folder: FolderID) -> FolderRules? {
        folder.number < folders.count ? folders[Int(folder.number)].rules : nil
    }

    /// The number of the scan of a folder that runs or ran last.
    func scanGeneration(of folder: FolderID) -> UInt32 {
        folder.number < folders.count ? folders[Int(folder.number)].scan.generation : 0
    }

    /// Changes a folder; an id without a folder has no effect.
    mutating func withFolder(_ folder: FolderID, _ change: (inout FolderState) -> Void) {
        guard folder.number < folders.count else { return }
        change(&folders[Int(folder.number)])
    }

    // MARK: Requests

    /// An id for an action whose answer is for `asked`.
    mutating func request(_ question: Asked) -> RequestID {
        requestNumber += 1
        let id = RequestID(requestNumber)
        asked[id] = question
        return id
    }

    /// Takes what a request was about; `nil` if it was answered already.
    mutating func take(_ request: RequestID) -> Asked? { asked.removeValue(forKey: request) }

    /// What a request is about that has further answers.
    func peek(_ request: RequestID) -> Asked? { asked[request] }

    // MARK: The journal

    /// Gives the journal the record of an item, after `change`.
    ///
    /// - Returns: the transaction with the record; 0 if the item has none, because it has no key of its own.
    @discardableResult
    mutating func put(
        _ place: UInt32, awaited: Bool = false, _ change: (inout ItemRecord) -> Void = { _ in }
    ) -> TransactionNumber {
        guard let item = items[place], let id = items.id(of: place), let key = item.key, item.ownsKey else { return 0 }
        var record = ItemRecord(
            id: id, folder: item.folder, path: item.path, stamp: item.stamp, head: item.head, key: key,
            keyNumber: item.keyNumber, stored: item.stored)
        if case .quarantined(let trouble) = item.phase { record.course = .quarantined(trouble.words) }
        change(&record)
        return journal.add(.put(record), awaitedBy: awaited ? id : nil)
    }

    // MARK: Phases

    /// Lets an item settle: its next look is `delay` from now.
    mutating func settle(_ place: UInt32, after delay: Duration, _ settling: Settling = Settling()) {
        items.set(place, .settling(settling))
        wakes.add(place, at: now + delay, items)
        allowShedding(place)
    }

    /// Lets an item settle from the beginning.
    mutating func settleAnew(_ place: UInt32) {
        settle(place, after: settleDelay(at: place))
    }

    /// How long a file has to be unchanged until it counts as complete without a report.
    ///
    /// With `rename` and `close-write`, a file without a report is usually still written, perhaps under a temporary
    /// name. But a report may have been lost, so that the file must not wait without an end. What happened before this
    /// run has no report, and neither has what happens in a folder that is not watched.
    func settleDelay(at place: UInt32) -> Duration {
        guard let item = items[place], let rules = rules(of: item.folder) else { return .zero }
        let awaitsReport = rules.ready == .rename || rules.ready == .closeWrite
        let isWatched = folders[Int(item.folder.number)].isWatched
        guard awaitsReport, isWatched, !item.isFromBefore else { return rules.settle }
        return max(rules.settle, Self.unreportedDelay)
    }

    mutating func makeReady(_ place: UInt32, _ wish: SendWish) {
        items.set(place, .ready(wish))
        guard let item = items[place], let rules = rules(of: item.folder) else { return }
        folders[Int(item.folder.number)].sending.push(.sending(item, at: place, rules.order), items)
        allowShedding(place)
    }

    /// Sets a phase in which the item waits for an event.
    mutating func rest(_ place: UInt32, _ phase: ItemPhase) {
        items.set(place, phase)
        allowShedding(place)
    }

    private mutating func allowShedding(_ place: UInt32) {
        guard let item = items[place], rules(of: item.folder)?.whenFull == .shed else { return }
        folders[Int(item.folder.number)].ages.push(.age(item, at: place), items)
    }

    /// Makes an item proven, and due for removal no earlier than `notBefore`.
    mutating func makeProven(_ place: UInt32, notBefore: ServiceTime = .zero) {
        items.set(place, .proven)
        guard let item = items[place], case .held(_, let since) = item.stored, let rules = rules(of: item.folder),
            rules.grace != nil || rules.whenFull != .hold
        else { return }
        let due = max(since + (rules.grace ?? .zero), notBefore)
        let turn = Turn(rank: due.wholeNanoseconds, name: [], place: place, turn: item.turn)
        folders[Int(item.folder.number)].proven.push(turn, items)
    }

    /// Counts a failure for the file's own reason.
    mutating func fail(_ place: UInt32, _ trouble: ItemTrouble) {
        guard let item = items[place], let rules = rules(of: item.folder) else { return }
        let failures = item.failures < .max ? item.failures + 1 : .max
        items.update(place) { $0.failures = failures }
        switch RetryRule.verdict(failures: failures, limit: rules.quarantineAfter) {
        case .tryAgain(let delay):
            rest(place, .waiting(trouble, until: now + delay))
            wakes.add(place, at: now + delay, items)
        case .quarantine: quarantine(place, trouble)
        }
    }

    /// Lets an item wait for a cause that may pass, without counting a failure.
    mutating func postpone(_ place: UInt32, _ trouble: ItemTrouble) {
        let until = now + RetryRule.delayMax
        rest(place, .waiting(trouble, until: until))
        wakes.add(place, at: until, items)
    }

    /// Stops trying an item until a person asks for it, also after a restart if the item has a key.
    mutating func quarantine(_ place: UInt32, _ trouble: ItemTrouble) {
        guard let item = items[place], let id = items.id(of: place) else { return }
        items.set(place, .quarantined(trouble))
        put(place)
        actions.append(.report(.quarantined(id, item.path, trouble)))
    }

    /// The item's file is gone without the agent's doing.
    mutating func forget(_ place: UInt32) {
        guard let item = items[place], let id = items.id(of: place) else { return }
        if item.ownsKey { _ = journal.add(.forget(id)) }
        items.remove(place)
    }
}

/// The randomness of the machine: the jitter of waits, and hidden names. It can be compared, because machines are equal
/// only if they would draw the same numbers.
struct FolderGenerator: RandomNumberGenerator, Hashable, Sendable {
    private var base: any RandomNumberGenerator & Hashable & Sendable

    init(_ base: any RandomNumberGenerator & Hashable & Sendable) {
        self.base = base
    }

    mutating func next() -> UInt64 { base.next() }

    static func == (left: FolderGenerator, right: FolderGenerator) -> Bool {
        AnyHashable(left.base) == AnyHashable(right.base)
    }

    func hash(into hasher: inout Hasher) { base.hash(into: &hasher) }
}

extension Duration {
    /// The duration in nanoseconds; 0 for a negative one, and the largest number for one that is too long.
    var wholeNanoseconds: UInt64 { (Instant(nanoseconds: 0) + self).nanoseconds }
}
