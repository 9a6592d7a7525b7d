import FolderCore
import SeededRandom
import Testing
import TransferCommon

/// Drives the machine of one folder, or of several with the same rules, by events, and answers what a test is not
/// about.
struct FolderDriver {
    static let folder = FolderID(0)
    static let store = FolderDriver.digest(200)
    static let otherStore = FolderDriver.digest(201)

    var machine: Folders
    /// Seconds since the start.
    private(set) var seconds: Int64 = 0
    private var asleep: Int64 = 0
    /// Actions that no test has taken yet.
    private(set) var actions: [FolderAction] = []
    /// The clock behind change times.
    var clock: Int64 = 10_000
    /// Whether the driver answers transactions at once.
    var commits = true
    /// What the journal has, and the service time it was given.
    private(set) var records: [ItemID: ItemRecord] = [:]
    private(set) var removedKeys: Set<ObjectKey> = []
    private(set) var served = ServiceTime.zero

    init(
        _ change: (inout FolderRules) -> Void = { _ in }, limits: (inout FolderLimits) -> Void = { _ in },
        restoring records: [ItemRecord] = [], isSameBoot: Bool = true, served: ServiceTime = .zero,
        starts: Bool = true, folders: Int = 1
    ) {
        var rules = FolderRules()
        change(&rules)
        var allLimits = FolderLimits()
        limits(&allLimits)
        machine = Folders(
            [FolderRules](repeating: rules, count: folders), limits: allLimits, generator: SeededGenerator(seed: 1),
            served: served,
            now: FolderTime(Instant(nanoseconds: 0)))
        for record in records { self.records[record.id] = record }
        handle(.restored(records, isSameBoot: isSameBoot))
        if starts {
            handle(.started)
            handle(.storeKnown(Self.store))
        }
    }

    static func digest(_ byte: UInt8) -> SHA256Digest {
        SHA256Digest(bytes: [UInt8](repeating: byte, count: 32)) ?? .zero
    }

    static func key(_ text: String) throws -> ObjectKey { try ObjectKey(validating: text) }

    /// The stamp of a file whose last write was at this time, by the clock of the computer.
    static func stamp(_ inode: UInt64, size: UInt64 = 10, at seconds: Int64 = 9_000) -> FileStamp {
        let time = ModificationTime(seconds: seconds, nanoseconds: 0)
        return FileStamp(device: 1, inode: inode, size: size, modification: time, change: time)
    }

    private var time: FolderTime {
        FolderTime(
            monotonic: Instant(nanoseconds: 0) + .seconds(seconds),
            sinceBoot: Instant(nanoseconds: 0) + .seconds(seconds + asleep))
    }

    // MARK: Events

    mutating func handle(_ event: FolderEvent) {
        machine.handle(event, now: time)
        for action in machine.takeActions() {
            guard case .journal(let number, let changes, let served) = action, commits else {
                actions.append(action)
                continue
            }
            apply(changes)
            self.served = served
            handle(.journalCommitted(number))
        }
    }

    mutating func apply(_ changes: [JournalChange]) {
        for change in changes {
            switch change {
            case .put(let record): records[record.id] = record
            case .forget(let id): records[id] = nil
            case .removed(let id, let key):
                records[id] = nil
                removedKeys.insert(key)
            case .shed, .unshed: break
            }
        }
    }

    /// Lets time pass, tick by tick.
    mutating func pass(_ duration: Int64) {
        let end = seconds + duration
        while let deadline = machine.nextDeadline, deadline <= Instant(nanoseconds: 0) + .seconds(end) {
            let due = Int64(deadline.nanoseconds.quotientRoundedUp(1_000_000_000))
            guard due <= end else { break }
            seconds = max(seconds, due)
            handle(.tick)
            if machine.nextDeadline == deadline { break }
        }
        seconds = end
        clock += duration
        handle(.tick)
    }

    /// The computer sleeps: only the time since boot advances.
    mutating func suspend(_ duration: Int64) {
        asleep += duration
        clock += duration
        handle(.tick)
    }

    /// Takes all actions.
    mutating func take() -> [FolderAction] {
        defer { actions = [] }
        return actions
    }

    // MARK: Answers

    /// Answers the scan that is under way, or the one that began last.
    mutating func scan(_ entries: [ScanEntry], failure: String? = nil) throws {
        let request = try #require(
            actions.compactMap { if case .scan(let request, _) = $0 { request } else { nil } }.last)
        actions.removeAll { if case .scan(request, _) = $0 { true } else { false } }
        if !entries.isEmpty { handle(.scanned(request, entries)) }
        handle(.scanEnded(request, failure: failure))
    }

    /// Answers a look at the path as the file is.
    mutating func look(_ path: String, _ stamp: FileStamp, _ change: (inout FileLook) -> Void = { _ in }) throws {
        let index = try #require(
            actions.lastIndex { if case .look(_, _, ItemPath(path), _) = $0 { true } else { false } },
            "no look at \(path): \(actions)")
        guard case .look(let request, _, _, _) = actions.remove(at: index) else { return }
        var look = FileLook(
            stamp: stamp, head: FileHead(byteCount: 4, hash: 7), headAsRecorded: 7, lease: .granted,
            systemTime: ModificationTime(seconds: clock, nanoseconds: 0))
        change(&look)
        handle(.looked(request, .found(look)))
    }

    /// The order of the upload that is under way.
    func order() throws -> (request: RequestID, order: SendOrder) {
        for action in actions.reversed() {
            if case .send(let request, let order) = action { return (request, order) }
        }
        Issue.record("nothing is sent: \(actions)")
        throw Missing()
    }

    mutating func finishSending(_ outcome: SendOutcome) throws {
        let request = try order().request
        actions.removeAll { if case .send(request, _) = $0 { true } else { false } }
        handle(.sent(request, outcome))
    }

    /// Answers the upload that is under way as stored.
    mutating func store(
        _ stamp: FileStamp, root: UInt8 = 1, session: UInt64 = 1, in store: StoreIdentity = FolderDriver.store
    ) throws {
        let proof = ItemProof(
            store: store, key: try order().order.key, session: SessionID(high: 0, low: session), stamp: stamp,
            partBytes: 8 << 20, root: Self.digest(root))
        try finishSending(
            .stored(
                StoredReading(proof, after: stamp, systemTime: ModificationTime(seconds: clock, nanoseconds: 0))))
    }

    /// The step of a removal that is under way.
    mutating func step() throws -> (request: RequestID, step: RemovalStep) {
        let index = try #require(
            actions.lastIndex { if case .step = $0 { true } else { false } }, "no step: \(actions)")
        guard case .step(let request, _, let step) = actions.remove(at: index) else { throw Missing() }
        return (request, step)
    }

    mutating func answer(_ answer: RemovalAnswer) throws -> RemovalStep {
        let (request, step) = try step()
        handle(.stepped(request, answer))
        return step
    }

    mutating func prove(_ answer: ProveAnswer) throws {
        let request = try #require(
            actions.compactMap { if case .prove(let request, _, _, _) = $0 { request } else { nil } }.last)
        actions.removeAll { if case .prove = $0 { true } else { false } }
        handle(.proved(request, answer))
    }

    struct Missing: Error {}

    // MARK: Courses

    /// Brings a new file to its upload.
    mutating func bringToSending(_ path: String, _ stamp: FileStamp) throws {
        try scan([ScanEntry(ItemPath(path), stamp)])
        pass(10)
        try look(path, stamp)
    }

    /// Brings a new file to its proof.
    mutating func bringToProof(_ path: String, _ stamp: FileStamp) throws {
        try bringToSending(path, stamp)
        try store(stamp)
    }

    func id(_ inode: UInt64) throws -> ItemID { try #require(machine.item(of: Self.folder, inode: inode)) }

    func state(_ inode: UInt64) throws -> ItemState? { machine.standing(of: try id(inode))?.state }

    func reason(_ inode: UInt64) throws -> String? { machine.standing(of: try id(inode))?.reason }
}

extension UInt64 {
    func quotientRoundedUp(_ divisor: UInt64) -> UInt64 { self / divisor + (self % divisor == 0 ? 0 : 1) }
}
