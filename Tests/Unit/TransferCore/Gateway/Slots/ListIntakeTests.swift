import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct ListIntakeTests {
    private static let entries = GatewayDriver.entries(of: 2_500)

    private static func page(_ numbers: Range<Int>, isLast: Bool) -> PartList {
        PartList(entries: Array(entries[numbers]), isLast: isLast)
    }

    private static func name(of intake: ListIntake) -> String {
        switch intake.phase {
        case .empty: "empty"
        case .announced: "announced"
        case .partial: "partial"
        case .whole: "whole"
        }
    }

    private static func add(_ page: PartList, to intake: inout ListIntake) -> ListIntake.OnPage {
        let result = intake.judge(page, partsMax: 4)
        if case .fits(let excess) = result { intake.append(page, reserved: excess) }
        return result
    }

    private static func intake(_ pages: PartList...) -> ListIntake {
        var intake = ListIntake()
        for page in pages { _ = add(page, to: &intake) }
        return intake
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = [TransitionTable.Row(from: "empty", to: "announced")]
        let announced = ListIntake(announced: 3)
        var listed = announced
        for page in [Self.page(0..<2, isLast: false), Self.page(2..<3, isLast: true)] {
            _ = Self.add(page, to: &listed)
            changes.insert(TransitionTable.Row(from: "announced", to: Self.name(of: listed)))
        }
        _ = listed.takeAnnounced()
        changes.insert(TransitionTable.Row(from: "announced", to: Self.name(of: listed)))
        let (partial, whole) = (Self.page(0..<1, isLast: false), Self.page(1..<2, isLast: true))
        for intake in [ListIntake(), Self.intake(partial), Self.intake(whole)] {
            let events: [(inout ListIntake) -> Void] = [
                { _ = Self.add(partial, to: &$0) }, { _ = Self.add(whole, to: &$0) }, { _ = $0.takeWhole() },
                { _ = $0.release() },
            ]
            for event in events {
                var next = intake
                event(&next)
                guard next != intake else { continue }
                changes.insert(TransitionTable.Row(from: Self.name(of: intake), to: Self.name(of: next)))
            }
        }
        let beginsAgain = Self.intake(Self.page(0..<2, isLast: true), whole)
        changes.insert(TransitionTable.Row(from: "whole", to: Self.name(of: beginsAgain)))
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Slots/ListIntake.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func theBudgetOutlivesTheEntries() {
        var intake = ListIntake(announced: 3)
        #expect(intake.bytesReserved == ListIntake.bytes(announced: 3))
        #expect(Self.add(Self.page(0..<3, isLast: true), to: &intake) == .fits(excess: 0))
        #expect(intake.takeAnnounced() == Self.entries)
        #expect(intake.entries == [])
        #expect(intake.release() == ListIntake.bytes(announced: 3))
        #expect(intake.bytesReserved == 0)
    }

    @Test func announcedPagesAscendAndMatchTheirNumber() {
        var intake = ListIntake(announced: 3)
        #expect(Self.add(Self.page(1..<2, isLast: false), to: &intake) == .fits(excess: 0))
        #expect(intake.judge(Self.page(0..<2, isLast: true), partsMax: 4) == .unordered)
        for page in [Self.page(2..<3, isLast: true), Self.page(0..<3, isLast: true), Self.page(1..<3, isLast: false)] {
            guard case .violation = intake.judge(page, partsMax: 4) else {
                Issue.record("a page of \(page.entries.count) entries fits")
                continue
            }
        }
    }

    @Test func listBeforeCompleteBeginsAnewAfterItsLastPage() {
        var intake = Self.intake(Self.page(0..<3, isLast: true))
        #expect(Self.add(Self.page(0..<1, isLast: false), to: &intake) == .fits(excess: 0))
        #expect(intake.takeWhole()?.entries == nil)
        #expect(Self.add(Self.page(0..<2, isLast: true), to: &intake) == .fits(excess: 0))
        #expect(intake.takeWhole()?.entries == Array(Self.entries.prefix(2)))
        #expect(intake.takeWhole()?.entries == nil)
    }

    /// The budget of the list goes to the session of COMPLETE, and the slot keeps nothing of it.
    @Test func completeTakesTheBudgetWithTheList() {
        var intake = Self.intake(Self.page(0..<3, isLast: true))
        #expect(intake.takeWhole()?.bytesReserved == ListIntake.bytes(announced: 3))
        #expect(intake.bytesReserved == 0 && intake.release() == 0)
        #expect(Self.add(Self.page(0..<1, isLast: false), to: &intake) == .fits(excess: ListIntake.bytes(announced: 1)))
        #expect(intake.takeWhole()?.entries == nil)
        #expect(intake.release() == ListIntake.bytes(announced: 1))
    }

    @Test func listBeforeCompleteHasNoMorePartsThanASession() {
        var intake = Self.intake(Self.page(0..<2, isLast: false))
        #expect(Self.add(Self.page(0..<2, isLast: false), to: &intake) == .fits(excess: ListIntake.bytes(announced: 2)))
        #expect(Self.add(Self.page(0..<1, isLast: true), to: &intake) == .violation("PART LIST: more than 4 parts"))
    }

    @Test func movesWhileEntriesArrive() {
        var intake = ListIntake(announced: 3)
        #expect(intake.hasMoved() && !intake.hasMoved())
        _ = Self.add(Self.page(0..<2, isLast: false), to: &intake)
        #expect(intake.hasMoved() && !intake.hasMoved())
    }

    /// A list may arrive in as many pages as it has entries. The gateway then moves the entries only when their array
    /// grows, which it does by doubling. If each page copied the entries before it, there would be 10,000 moves.
    @Test(arguments: [true, false])
    func listOfManyPagesIsNotCopiedForEachPage(isOfQuery: Bool) throws {
        let count: UInt32 = 10_000
        var driver = GatewayDriver {
            $0.budgetBytes = 64 << 20
            $0.budgetBytesPerDevice = 48 << 20
        }
        driver.connect()
        if isOfQuery {
            let token = GatewayDriver.token(size: UInt64(count) * 1_000)
            driver.frame(.resumeQuery(ResumeQuery(listedParts: count, token: token)))
        } else {
            driver.openParts(size: UInt64(count) * 1_000)
        }
        let place = Attachment(connection: GatewayDriver.connection, slot: GatewayDriver.slot)
        var moves = 0
        var storage: UnsafeRawPointer?
        for value in 1..<count {
            let entry = PartListEntry(
                part: try #require(PartNumber(value)), size: 1_000, digest: ToyDigest.sha256([1]), etag: "e")
            driver.frame(.partList(PartList(entries: [entry], isLast: false)))
            let now = driver.machine.entriesListed(at: place).withUnsafeBytes { $0.baseAddress }
            if now != storage { moves += 1 }
            storage = now
        }
        #expect(driver.machine.entriesListed(at: place).count == Int(count) - 1)
        #expect(moves < 50)
        let listBytes = driver.machine.bytesReserved - UInt64(driver.machine.limits.initialCreditBytes)
        // The session of COMPLETE also has a table of its parts.
        let tableBytes = isOfQuery ? 0 : UInt64(count) * StoredParts.recordBytes
        #expect(listBytes == ListIntake.bytes(announced: isOfQuery ? count : count - 1) + tableBytes)
    }

    /// A new list counts as progress even if it has exactly as many entries as the list before it.
    @Test func nextListMovesEvenIfItIsAsLong() {
        var intake = Self.intake(Self.page(0..<2, isLast: true))
        #expect(intake.hasMoved() && !intake.hasMoved())
        _ = intake.takeWhole()
        _ = Self.add(Self.page(0..<2, isLast: true), to: &intake)
        let hasMoved = intake.hasMoved()
        #expect(hasMoved)
    }
}
