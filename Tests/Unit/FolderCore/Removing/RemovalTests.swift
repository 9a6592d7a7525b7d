import FolderCore
import RepositoryFiles
import Testing
import TransferCommon

@Suite struct RemovalTests {
    private static let request = RequestID(1)
    private static let now = Instant(nanoseconds: 0)
    private static let aside = ItemPath("d/a").aside(0xAB)
    private static let stamp = FolderDriver.stamp(5)

    private static var renamed: FileStamp {
        var stamp = stamp
        stamp.change = ModificationTime(seconds: 9_999, nanoseconds: 0)
        return stamp
    }

    private static func proof(counts: Bool) throws -> ItemProof {
        ItemProof(
            store: FolderDriver.store, key: try FolderDriver.key("a"), session: .zero, stamp: stamp,
            stampCounts: counts, partBytes: 8, root: FolderDriver.digest(1))
    }

    private static func removal(
        _ aim: Removal.Aim = .delete, confirms: Bool = true, rechecks: Bool = true, counts: Bool = true
    ) throws -> Removal {
        Removal(
            aim, of: ItemPath("d/a"), try proof(counts: counts), aside: aside, confirms: confirms, rechecks: rechecks,
            request)
    }

    private static func name(_ phase: RemovalPhase) -> String { String("\(phase)".prefix { $0.isLetter }) }

    private static let answers: [RemovalAnswer] = [
        .done, .missing, .taken, .changed, .failed("x"), .both(own: nil, aside: true), .both(own: nil, aside: false),
        .both(own: renamed, aside: false), .both(own: FolderDriver.stamp(6), aside: false),
        .found(stamp, .granted, root: FolderDriver.digest(1)), .found(renamed, .granted, root: FolderDriver.digest(1)),
        .found(renamed, .unavailable, root: FolderDriver.digest(1)),
        .found(renamed, .refused, root: FolderDriver.digest(1)),
        .found(renamed, .granted, root: FolderDriver.digest(2)), .found(FolderDriver.stamp(6), .granted, root: nil),
    ]

    private static var events: [(inout Removal) -> RemovalEffect] {
        answers.map { answer in { $0.answered(answer, next: request, now: now) } }
            + [ProveAnswer.proven(store: FolderDriver.store), .absent].map { answer in { $0.proved(answer) } }
            + [{ $0.committed(request) }, { $0.tick(request, now: now + .seconds(100)) }]
    }

    /// Every machine that these events reach, with each change between them.
    private static func explore(_ visit: (Removal, Removal, RemovalEffect) -> Void) throws {
        var open = [Removal(recovering: ItemPath("d/a"), try proof(counts: true), aside: aside, request)]
        for (confirms, rechecks, counts) in [(true, true, true), (false, false, true), (false, true, false)] {
            open.append(try removal(confirms: confirms, rechecks: rechecks, counts: counts))
            open.append(try removal(.move, confirms: confirms, rechecks: rechecks, counts: counts))
        }
        var known = Set(open)
        while let removal = open.popLast() {
            for event in events {
                var next = removal
                let effect = event(&next)
                visit(removal, next, effect)
                // Names with higher numbers lead to nothing new.
                switch next.phase {
                case .puttingBack(_, let number) where number > 3: continue
                case .unlinking(_, _, let number) where number > 3: continue
                default: break
                }
                if known.insert(next).inserted { open.append(next) }
            }
        }
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = []
        try Self.explore { before, after, _ in
            let (from, to) = (Self.name(before.phase), Self.name(after.phase))
            if from != to { changes.insert(TransitionTable.Row(from: from, to: to)) }
        }
        let rows = Set(try TransitionTable.rows(of: "Sources/FolderCore/Removing/RemovalPhase.swift"))
        for row in rows.subtracting(changes) { Issue.record("\(row) does not happen") }
        for row in changes.subtracting(rows) { Issue.record("\(row) is missing in the table") }
    }

    @Test func noUnlinkWithoutALookUnderTheHiddenName() throws {
        try Self.explore { before, _, effect in
            switch effect {
            case .step(.unlink(let path, _)), .step(.moveAway(let path, _, _)):
                #expect(path == Self.aside)
                switch before.phase {
                case .comparingAside, .hashing, .unlinking: break
                default: Issue.record("unlinks from \(before.phase)")
                }
            default: break
            }
        }
    }

    @Test func aFileWithTheHiddenNameIsNeverForgotten() throws {
        let hidden: Set<String> = ["comparingAside", "hashing", "keeping", "unlinking", "puttingBack"]
        let ends: Set<String> = ["ended", "returning", "recording", "journalling", "asking", "comparing"]
        try Self.explore { before, after, _ in
            if hidden.contains(Self.name(before.phase)) { #expect(!ends.contains(Self.name(after.phase))) }
        }
    }

    @Test func deletesInTheOrderOfItsSteps() throws {
        var removal = try Self.removal()
        #expect(removal.firstStep == .compare(ItemPath("d/a"), partBytes: nil))
        #expect(
            removal.answered(.found(Self.stamp, .unavailable, root: nil), next: Self.request, now: Self.now) == .ask)
        #expect(removal.proved(.proven(store: FolderDriver.store)) == .recordNames)
        removal.recorded(in: 3)
        #expect(removal.awaits(3) && !removal.awaits(2))
        #expect(removal.committed(Self.request) == .step(.setAside(ItemPath("d/a"), Self.aside)))
        #expect(removal.answered(.done, next: Self.request, now: Self.now) == .step(.compareAside(Self.aside)))
        let compared = RemovalAnswer.found(Self.renamed, .granted, root: nil)
        #expect(
            removal.answered(compared, next: Self.request, now: Self.now)
                == .step(.hashAside(Self.aside, partBytes: 8)))
        let hashed = RemovalAnswer.found(Self.renamed, .granted, root: FolderDriver.digest(1))
        #expect(
            removal.answered(hashed, next: Self.request, now: Self.now) == .step(.unlink(Self.aside, Self.renamed)))
        #expect(
            removal.answered(.done, next: Self.request, now: Self.now) == .step(.syncDirectory(ItemPath("d/a"))))
        #expect(removal.answered(.done, next: Self.request, now: Self.now) == .recordEnd)
        removal.recorded(in: 4)
        #expect(removal.committed(Self.request) == .ended(.removed))
    }

    private static func atHashing() throws -> Removal {
        var removal = try removal(confirms: false)
        _ = removal.answered(.found(stamp, .unavailable, root: nil), next: request, now: now)
        _ = removal.committed(request)
        _ = removal.answered(.done, next: request, now: now)
        _ = removal.answered(.found(renamed, .unavailable, root: nil), next: request, now: now)
        return removal
    }

    @Test func withoutLeasesTheFileStaysAsideForAMinuteAndIsHashedAgain() throws {
        var removal = try Self.atHashing()
        let hashed = RemovalAnswer.found(Self.renamed, .unavailable, root: FolderDriver.digest(1))
        let until = Self.now + .seconds(60)
        #expect(removal.answered(hashed, next: Self.request, now: Self.now) == .wait(until: until))
        #expect(removal.tick(Self.request, now: Self.now + .seconds(59)) == .nothing)
        #expect(removal.tick(Self.request, now: until) == .step(.hashAside(Self.aside, partBytes: 8)))
        #expect(removal.answered(hashed, next: Self.request, now: until) == .step(.unlink(Self.aside, Self.renamed)))
    }

    @Test(arguments: [
        RemovalAnswer.found(renamed, .refused, root: FolderDriver.digest(1)),
        .found(renamed, .granted, root: FolderDriver.digest(2)), .missing, .failed("x"),
    ])
    func otherContentIsPutBackUnderAFreeName(_ answer: RemovalAnswer) throws {
        var removal = try Self.atHashing()
        #expect(
            removal.answered(answer, next: Self.request, now: Self.now)
                == .step(.putBack(Self.aside, to: ItemPath("d/a"))))
        #expect(
            removal.answered(.taken, next: Self.request, now: Self.now)
                == .step(.putBack(Self.aside, to: ItemPath("d/a~2"))))
        let synced = removal.answered(.done, next: Self.request, now: Self.now)
        #expect(synced == .step(.syncDirectory(ItemPath("d/a~2"))))
        #expect(removal.answered(.done, next: Self.request, now: Self.now) == .recordReturn)
        #expect(removal.path == ItemPath("d/a~2"))
    }

    @Test func aFileThatCannotBePutBackIsTriedUntilItCan() throws {
        var removal = try Self.atHashing()
        _ = removal.answered(.missing, next: Self.request, now: Self.now)
        let until = Self.now + Removal.pauseDelay
        #expect(removal.answered(.failed("full"), next: Self.request, now: Self.now) == .wait(until: until))
        #expect(removal.tick(Self.request, now: until) == .step(.putBack(Self.aside, to: ItemPath("d/a"))))
    }

    @Test func anotherStoreIsNoProof() throws {
        var removal = try Self.removal()
        _ = removal.answered(.found(Self.stamp, .unavailable, root: nil), next: Self.request, now: Self.now)
        #expect(removal.proved(.proven(store: FolderDriver.otherStore)) == .ended(.notStored))
    }
}
