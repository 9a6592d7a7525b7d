import FolderCore
import SeededRandom
import TransferCommon

/// One run of `Folders` in a world of programs, a file system, a journal and a store. Time is virtual.
package final class FolderSimulation {
    package let scenario: FolderScenario
    package internal(set) var violations: [String] = []
    package private(set) var steps = 0
    package private(set) var traceHash: UInt64 = 0xCBF2_9CE4_8422_2325
    package private(set) var lines: [String] = []
    package internal(set) var counts = FolderCounts()
    let keepsLines: Bool

    static let folder = FolderID(0)

    var dice: SeededGenerator
    var machine: Folders?
    var files: ModelFileSystem
    var store: ModelStore
    var journal = ModelJournal()
    /// The virtual time in nanoseconds, and how far wall clock and time since boot are ahead of it.
    var now: UInt64 = 1_000_000_000_000
    var wallAhead: UInt64 = 1_700_000_000_000_000_000
    var bootAhead: UInt64 = 0
    var isClockTrusted = true
    /// The number of the agent's life. Answers to a former life are dropped.
    var life = 0
    var isQuiet: Bool { now >= quietAt }
    var quietAt: UInt64 = 0
    var isJournalFull = false
    var network = ModelNetwork.working
    var heldLease: (inode: UInt64, opens: Int)?
    /// Objects that PROVE has confirmed, with the time: a foreign writer may replace them afterwards.
    var confirmed: [ObjectKey: (root: SHA256Digest, at: UInt64)] = [:]
    var shedsAllowed: Set<ItemPath> = []
    private var queue = Heap<Timed>()
    private var work: [UInt64: () -> Void] = [:]
    private var number: UInt64 = 0
    private var armedAt: UInt64?

    private struct Timed: Comparable {
        var at: UInt64
        var number: UInt64

        static func < (left: Timed, right: Timed) -> Bool { (left.at, left.number) < (right.at, right.number) }
    }

    package init(_ scenario: FolderScenario, keepsLines: Bool = false) {
        self.scenario = scenario
        self.keepsLines = keepsLines
        self.dice = SeededGenerator(seed: scenario.seed)
        self.files = ModelFileSystem(
            kind: scenario.kind, grantsLeases: scenario.grantsLeases, granularity: scenario.granularity)
        self.store = ModelStore(keepsVersions: scenario.keepsVersions)
    }

    // MARK: Time

    func draw() -> UInt64 { dice.next() }

    func chance(_ perThousand: UInt64) -> Bool { draw() % 1_000 < perThousand }

    func pick<Value>(_ values: [Value]) -> Value? {
        values.isEmpty ? nil : values[Int(draw() % UInt64(values.count))]
    }

    /// A random time up to this many milliseconds, in nanoseconds.
    func upTo(_ milliseconds: UInt64) -> UInt64 { draw() % (milliseconds * 1_000_000 + 1) }

    func after(_ delay: UInt64, _ body: @escaping () -> Void) {
        number += 1
        work[number] = body
        queue.push(Timed(at: now + delay, number: number))
    }

    /// Like `after`, but only if the agent still lives.
    func inThisLife(after delay: UInt64, _ body: @escaping () -> Void) {
        let life = life
        after(delay) { [unowned self] in if self.life == life { body() } }
    }

    func trace(_ line: @autoclosure () -> String) {
        // The hash needs the text. Without it a run is a third faster, so long runs only count.
        guard keepsLines else { return }
        let text = "\(now / 1_000_000) \(line())"
        traceHash = (traceHash ^ ModelDigest.hash(text.utf8)) &* 0x100_0000_01B3
        lines.append(text)
    }

    func violation(_ text: String) {
        trace("VIOLATION \(text)")
        violations.append(text)
    }

    var wall: UInt64 { now + wallAhead }

    private var time: FolderTime {
        FolderTime(monotonic: Instant(nanoseconds: now), sinceBoot: Instant(nanoseconds: now + bootAhead))
    }

    // MARK: The run

    package func run() {
        quietAt = now + scenario.busySeconds * 1_000_000_000
        planPeople()
        planFaults()
        boot(isSameBoot: false)
        let limit = quietAt + 3 * 3_600 * 1_000_000_000
        var nextCheck = quietAt + 60_000_000_000
        var complaints: [String] = []
        while violations.isEmpty, let first = queue.first, now < limit {
            if first.at >= nextCheck {
                now = max(now, nextCheck)
                nextCheck += 60_000_000_000
                complaints = unrest()
                if complaints.isEmpty { return }
                continue
            }
            _ = queue.popFirst()
            now = max(now, first.at)
            steps += 1
            work.removeValue(forKey: first.number)?()
        }
        guard violations.isEmpty else { return }
        for complaint in complaints.isEmpty ? ["the simulation has run dry"] : complaints { violation(complaint) }
    }

    /// Starts the agent, which reads its journal.
    func boot(isSameBoot: Bool) {
        life += 1
        heldLease = nil
        armedAt = nil
        let sinceWritten = isSameBoot ? now + bootAhead - journal.writtenAt : 0
        var limits = FolderLimits()
        limits.sendingMax = 3
        limits.lookingMax = 4
        limits.removingMax = 2
        limits.stateBytesMax = 1_000
        machine = Folders(
            [scenario.rules], limits: limits, generator: SeededGenerator(seed: draw()),
            served: journal.served + .nanoseconds(Int64(sinceWritten)), now: time)
        trace("boot \(journal.records.count) records")
        let records = journal.records.values.sorted { $0.id.place < $1.id.place }
        handle(.restored(records, isSameBoot: isSameBoot))
        handle(.started)
        handle(.watching(Self.folder, scenario.lossPerCent < 100))
        inThisLife(after: upTo(3_000)) { [unowned self] in handle(.storeKnown(store.identity)) }
    }

    func handle(_ event: FolderEvent) {
        guard machine != nil else { return }
        trace("event \(event)")
        let life = life
        machine?.handle(event, now: time)
        let actions = machine?.takeActions() ?? []
        arm()
        for action in actions {
            guard self.life == life, violations.isEmpty else { return }
            if !isQuiet, chance(scenario.killsPerThousand) { return kill() }
            trace("action \(action)")
            perform(action)
            if !isQuiet, self.life == life, chance(scenario.killsPerThousand) { return kill() }
        }
    }

    private func arm() {
        guard let deadline = machine?.nextDeadline?.nanoseconds, armedAt.map({ deadline < $0 || $0 <= now }) ?? true
        else { return }
        armedAt = deadline
        inThisLife(after: max(deadline, now) - now) { [unowned self] in
            guard armedAt == deadline else { return }
            armedAt = nil
            handle(.tick)
        }
    }

    /// The agent is killed, sometimes with the whole computer.
    func kill() {
        machine = nil
        life += 1
        let isPowerCut = scenario.hasPowerCuts && chance(400)
        if isPowerCut {
            journal.powerCut(keepsLast: chance(500))
            files.powerCut(choice: draw(), at: wall)
            counts.powerCuts += 1
        } else {
            journal.powerCut(keepsLast: chance(500))
            counts.kills += 1
        }
        trace("killed, power cut \(isPowerCut)")
        after(upTo(20_000)) { [unowned self] in boot(isSameBoot: !isPowerCut) }
    }
}

/// What happened in runs.
package struct FolderCounts: Sendable {
    package var kills = 0
    package var powerCuts = 0
    package var proven = 0
    package var removed = 0
    package var shed = 0
    package var refused = 0
    package var replaced = 0
    package var putBack = 0
    package var virtualSeconds: UInt64 = 0

    package init() {}

    package mutating func add(_ other: FolderCounts) {
        kills += other.kills
        powerCuts += other.powerCuts
        proven += other.proven
        removed += other.removed
        shed += other.shed
        refused += other.refused
        replaced += other.replaced
        putBack += other.putBack
        virtualSeconds += other.virtualSeconds
    }
}

/// Whether the gateway can be reached.
enum ModelNetwork {
    case working
    case broken
    case busy
    case unauthorised
}

/// The journal: what is durable, and the transaction that is being written.
struct ModelJournal {
    var records: [ItemID: ItemRecord] = [:]
    var removedKeys: Set<ObjectKey> = []
    var shed: [ItemID: ItemPath] = [:]
    var served = ServiceTime.zero
    var writtenAt: UInt64 = 0
    /// Transactions under way: one, unless the shell lies.
    var pending: [(number: TransactionNumber, changes: [JournalChange], served: ServiceTime, at: UInt64)] = []

    /// The transaction under way has either become durable or not.
    mutating func powerCut(keepsLast: Bool) {
        if keepsLast, let first = pending.first { commit(first.number, keepsWithdrawn: false) }
        pending = []
    }

    mutating func commit(_ number: TransactionNumber, keepsWithdrawn: Bool) {
        while let first = pending.first, first.number <= number {
            pending.removeFirst()
            apply(first, keepsWithdrawn: keepsWithdrawn)
        }
    }

    private mutating func apply(
        _ transaction: (number: TransactionNumber, changes: [JournalChange], served: ServiceTime, at: UInt64),
        keepsWithdrawn: Bool
    ) {
        served = transaction.served
        writtenAt = transaction.at
        for change in transaction.changes {
            switch change {
            case .put(var record):
                if keepsWithdrawn, record.stored.proof == nil, let former = records[record.id]?.stored,
                    former.proof != nil
                {
                    record.stored = former
                }
                records[record.id] = record
            case .forget(let id): records[id] = nil
            case .removed(let id, let key):
                records[id] = nil
                removedKeys.insert(key)
            case .shed(let id, let path, _): shed[id] = path
            case .unshed(let id): shed[id] = nil
            }
        }
    }
}
