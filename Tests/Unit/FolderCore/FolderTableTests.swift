import FolderCore
import RepositoryFiles
import Testing
import TransferCommon

/// The transition tables are true: small machines are driven through all events, and for an item the names are
/// compared.
@Suite struct FolderTableTests {
    private static let root = "Sources/FolderCore/"

    private static func expect(_ changes: Set<TransitionTable.Row>, in file: String) throws {
        let rows = try TransitionTable.rows(of: root + file)
        #expect(rows.count == Set(rows).count, "a row occurs twice")
        for row in Set(rows).subtracting(changes) { Issue.record("\(row) of \(file) does not happen") }
        for row in changes.subtracting(rows) { Issue.record("\(row) is missing in \(file)") }
    }

    /// All changes of a machine by these events, with the states that they reach.
    private static func changes<Machine: Hashable>(
        from start: [Machine], by events: [(inout Machine) -> Void], name: (Machine) -> String
    ) -> Set<TransitionTable.Row> {
        var changes: Set<TransitionTable.Row> = []
        var known = Set(start)
        var open = start
        while let machine = open.popLast() {
            for event in events {
                var next = machine
                event(&next)
                if name(machine) != name(next) {
                    changes.insert(TransitionTable.Row(from: name(machine), to: name(next)))
                }
                if known.insert(next).inserted { open.append(next) }
            }
        }
        return changes
    }

    private static let start = Instant(nanoseconds: 1)
    private static let late = Instant(nanoseconds: 1) + .seconds(100_000)

    @Test func journalQueue() throws {
        let changes = Self.changes(
            from: [JournalQueue()],
            by: [
                { if $0.state == .idle, $0.begin(now: Self.start) == nil { _ = $0.add(.unshed(Self.item)) } },
                { _ = $0.begin(now: Self.late) }, { _ = $0.committed(1) },
                { $0.failed(1, .full, now: Self.start) },
            ],
            name: { queue in
                switch queue.state {
                case .idle: "idle"
                case .writing: "writing"
                case .failing: "failing"
                }
            })
        try Self.expect(changes, in: "Journal/JournalQueue.swift")
    }

    private static let item = ItemID(place: 0, generation: 1)

    @Test func folderScan() throws {
        var changes: Set<TransitionTable.Row> = []
        func name(_ scan: FolderScan) -> String {
            switch scan.state {
            case .waiting: "waiting"
            case .scanning: "scanning"
            case .overtaken: "overtaken"
            }
        }
        let request = RequestID(1)
        var scan = FolderScan(now: Self.start)
        let events: [(inout FolderScan) -> Void] = [
            { _ = $0.begin(request, now: Self.late) }, { $0.hurry(now: Self.late) },
            { _ = $0.ended(request, failure: nil, interval: .seconds(30), now: Self.late) },
        ]
        for first in events {
            for second in events {
                for third in events {
                    scan = FolderScan(now: Self.start)
                    for event in [first, second, third] {
                        let before = name(scan)
                        event(&scan)
                        if before != name(scan) { changes.insert(TransitionTable.Row(from: before, to: name(scan))) }
                    }
                }
            }
        }
        try Self.expect(changes, in: "Discovery/FolderScan.swift")
    }

    @Test func diskSpace() throws {
        let changes = Self.changes(
            from: [DiskSpace(freeBytesMin: 100)],
            by: [
                { _ = $0.reported(freeBytes: 99) }, { _ = $0.reported(freeBytes: 105) },
                { _ = $0.reported(freeBytes: 110) },
            ],
            name: { "\($0.state)" })
        try Self.expect(changes, in: "Removing/DiskSpace.swift")
    }

    @Test func sendGate() throws {
        var changes: Set<TransitionTable.Row> = []
        func name(_ gate: SendGate) -> String {
            switch gate.state {
            case .open: "open"
            case .closed: "closed"
            case .trying: "trying"
            }
        }
        let events: [(inout SendGate) -> Void] = [
            { gate in
                var generator = SystemRandomNumberGenerator()
                gate.failed(.network, policy: RetryPolicy(), now: Self.start, using: &generator)
            },
            { $0.tick(now: Self.late) }, { $0.worked() }, { $0.link(isUp: false) }, { $0.link(isUp: true) },
        ]
        for course in 0..<625 {
            var gate = SendGate()
            var rest = course
            for _ in 0..<4 {
                let before = name(gate)
                events[rest % 5](&gate)
                rest /= 5
                if before != name(gate) { changes.insert(TransitionTable.Row(from: before, to: name(gate))) }
            }
        }
        // Both rows from closed to trying have the same states.
        let rows = try TransitionTable.rows(of: Self.root + "Sending/SendGate.swift")
        #expect(Set(rows) == changes)
    }

    @Test func shedding() throws {
        let request = RequestID(1)
        let stamp = FolderDriver.stamp(1)
        let answers: [RemovalAnswer] = [.done, .changed, .missing, .failed("x")]
        let changes = Self.changes(
            from: [Shedding(ItemPath("a"), stamp, listedIn: 1)],
            by: answers.map { answer in { _ = $0.answered(answer, next: request) } } + [{ _ = $0.committed(request) }],
            name: { shedding in
                switch shedding.phase {
                case .journalling: "journalling"
                case .unlinking: "unlinking"
                case .syncing: "syncing"
                case .recording: "recording"
                case .ended: "ended"
                }
            })
        try Self.expect(changes, in: "Removing/Shedding.swift")
    }

    @Test func theTableOfItemsNamesTheStates() throws {
        let states = Set(ItemState.allCases.map(\.rawValue))
        let rows = try TransitionTable.rows(of: Self.root + "Items/ItemPhase.swift")
        #expect(rows.count > 40)
        #expect(Set(rows.map(\.from)).isSubset(of: states.union(["any"])))
        #expect(Set(rows.map(\.to)).isSubset(of: states))
        #expect(Set(rows.map(\.to)).union(["new"]) == states)
    }
}
