import FolderCore
import Testing
import TransferCommon

/// Courses of files through the whole machine.
@Suite struct FoldersTests {
    @Test func aStableFileIsSentProvenAndDeleted() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .zero) }
        let stamp = FolderDriver.stamp(5)
        try driver.scan([ScanEntry(ItemPath("a"), stamp)])
        #expect(try driver.state(5) == .settling)
        driver.pass(9)
        #expect(driver.take().isEmpty)
        driver.pass(1)
        try driver.look("a", stamp)
        let order = try driver.order().order
        #expect(order.path == ItemPath("a") && order.inode == 5 && order.condition == .absent)
        #expect(try order.key == FolderDriver.key("a"))
        let id = try driver.id(5)
        try driver.store(stamp)
        #expect(driver.records[id]?.stored.proof?.root == FolderDriver.digest(1))
        #expect(try driver.answer(.found(stamp, .unavailable, root: nil)) == .compare(ItemPath("a"), partBytes: nil))
        try driver.prove(.proven(store: FolderDriver.store))
        guard case .removing(let aside) = driver.records[id]?.course else { throw FolderDriver.Missing() }
        #expect(aside.isAside)
        #expect(try driver.answer(.done) == .setAside(ItemPath("a"), aside))
        #expect(try driver.answer(.found(stamp, .granted, root: nil)) == .compareAside(aside))
        let hashed = try driver.answer(.found(stamp, .granted, root: FolderDriver.digest(1)))
        #expect(hashed == .hashAside(aside, partBytes: 8 << 20))
        #expect(try driver.answer(.done) == .unlink(aside, stamp))
        #expect(try driver.answer(.done) == .syncDirectory(ItemPath("a")))
        #expect(try driver.removedKeys == [FolderDriver.key("a")])
        #expect(driver.machine.itemCount == 0 && driver.records.isEmpty)
    }

    @Test func nothingIsRemovedBeforeTheProofIsDurable() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .zero) }
        let stamp = FolderDriver.stamp(5)
        try driver.bringToSending("a", stamp)
        driver.commits = false
        try driver.store(stamp)
        #expect(try driver.state(5) == .recording)
        driver.pass(1_000)
        let actions = driver.take()
        #expect(!actions.contains { if case .step = $0 { true } else { false } })
        let number = try #require(
            actions.compactMap { if case .journal(let number, _, _) = $0 { number } else { nil } }.first)
        driver.handle(.journalCommitted(number))
        #expect(try driver.step().step == .compare(ItemPath("a"), partBytes: nil))
    }

    /// A scan has passed the path before the file was made, and ends after a notification has led to it.
    @Test func aFileFoundDuringAScanIsNotForgottenAtItsEnd() throws {
        var driver = FolderDriver()
        try driver.scan([])
        driver.handle(.rescan(FolderDriver.folder))
        driver.handle(.noticed(FolderDriver.folder, ItemPath("a"), .changed))
        try driver.look("a", FolderDriver.stamp(5))
        let id = try driver.id(5)
        try driver.scan([])
        #expect(try driver.id(5) == id)
        #expect(try driver.state(5) == .settling)
    }

    @Test func aFileThatChangesSettlesAgain() throws {
        var driver = FolderDriver()
        try driver.scan([ScanEntry(ItemPath("a"), FolderDriver.stamp(5))])
        driver.pass(10)
        try driver.look("a", FolderDriver.stamp(5, size: 11))
        #expect(try driver.state(5) == .settling)
        #expect(try driver.reason(5) == "a process may still be writing it")
        driver.pass(10)
        try driver.look("a", FolderDriver.stamp(5, size: 11)) { $0.lease = .refused }
        driver.pass(10)
        try driver.look("a", FolderDriver.stamp(5, size: 11))
        _ = try driver.order()
    }

    @Test func aRestartInTheMiddleOfARemovalPutsTheFileBack() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .zero) }
        let stamp = FolderDriver.stamp(5)
        try driver.bringToProof("a", stamp)
        _ = try driver.answer(.found(stamp, .unavailable, root: nil))
        try driver.prove(.proven(store: FolderDriver.store))
        guard case .setAside(let path, let aside) = try driver.answer(.done) else { throw FolderDriver.Missing() }
        var next = FolderDriver({ $0.after = .delete(grace: .zero) }, restoring: Array(driver.records.values))
        #expect(try next.answer(.both(own: nil, aside: true)) == .findBoth(path, aside, inode: 5))
        #expect(try next.answer(.done) == .putBack(aside, to: path))
        #expect(try next.answer(.done) == .syncDirectory(path))
        #expect(next.records.values.map(\.course) == [.usual])
        #expect(try next.state(5) == .proven)
    }

    @Test func aRenameKeepsTheItemAndItsProof() throws {
        var driver = FolderDriver()
        let stamp = FolderDriver.stamp(5)
        try driver.bringToProof("a", stamp)
        let id = try driver.id(5)
        driver.pass(30)
        var renamed = stamp
        renamed.change = ModificationTime(seconds: 9_500, nanoseconds: 0)
        try driver.scan([ScanEntry(ItemPath("b"), renamed)])
        try driver.look("b", renamed)
        #expect(try driver.id(5) == id)
        #expect(try driver.state(5) == .proven)
        #expect(driver.records[id]?.path == ItemPath("b"))
        #expect(try driver.records[id]?.key == FolderDriver.key("a"))
    }

    @Test func aReusedInodeIsANewItem() throws {
        var driver = FolderDriver()
        try driver.bringToProof("a", FolderDriver.stamp(5))
        let id = try driver.id(5)
        driver.pass(30)
        try driver.scan([ScanEntry(ItemPath("b"), FolderDriver.stamp(5, at: 9_500))])
        try driver.look("b", FolderDriver.stamp(5, at: 9_500)) { $0.headAsRecorded = 8 }
        #expect(try driver.id(5) != id)
        #expect(try driver.records[id] == nil && driver.records.values.map(\.key) == [FolderDriver.key("b")])
    }

    @Test func aSecondNameOfAFileIsTheSameItem() throws {
        var driver = FolderDriver()
        let stamp = FolderDriver.stamp(5)
        try driver.bringToProof("b", stamp)
        driver.pass(30)
        try driver.scan([ScanEntry(ItemPath("a"), stamp), ScanEntry(ItemPath("b"), stamp)])
        try driver.look("a", stamp) { $0.isStillAtFormerPath = true }
        #expect(driver.machine.itemCount == 1)
        let id = try driver.id(5)
        #expect(driver.machine.item(id)?.path == ItemPath("b"))
    }

    @Test func aFileThatTwoScansMissIsForgotten() throws {
        var driver = FolderDriver()
        try driver.bringToProof("a", FolderDriver.stamp(5))
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([])
        #expect(driver.machine.itemCount == 1)
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([], failure: "unreadable")
        #expect(driver.machine.itemCount == 1)
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([])
        #expect(driver.machine.itemCount == 0 && driver.records.isEmpty)
    }

    @Test func anObjectInAnotherStoreIsNotProven() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .seconds(100)) }
        let stamp = FolderDriver.stamp(5)
        try driver.bringToProof("a", stamp)
        driver.handle(.storeKnown(FolderDriver.otherStore))
        driver.pass(200)
        #expect(!driver.actions.contains { if case .step = $0 { true } else { false } })
        try driver.scan([ScanEntry(ItemPath("a"), stamp)])
        try driver.look("a", stamp)
        #expect(try driver.order().order.condition == .absent)
        try driver.store(stamp, in: FolderDriver.otherStore)
        #expect(try driver.state(5) == .proven)
    }

    @Test func graceCountsSleepAndOutlastsARestart() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .seconds(1_000)) }
        try driver.bringToProof("a", FolderDriver.stamp(5))
        driver.suspend(500)
        #expect(!driver.take().contains { if case .step = $0 { true } else { false } })
        driver.handle(.rescan(FolderDriver.folder))
        let served = ServiceTime.seconds(900)
        var next = FolderDriver(
            { $0.after = .delete(grace: .seconds(1_000)) }, restoring: Array(driver.records.values), served: served)
        #expect(!next.take().contains { if case .step = $0 { true } else { false } })
        next.suspend(120)
        #expect(try next.step().step == .compare(ItemPath("a"), partBytes: nil))
    }

    @Test func theServiceTimeIsWrittenEveryHourWhileGraceCounts() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .seconds(1_000_000)) }
        driver.pass(10_000)
        #expect(driver.served == .zero)
        driver.handle(.rescan(FolderDriver.folder))
        try driver.bringToProof("a", FolderDriver.stamp(5))
        let proven = driver.served
        driver.pass(3_600)
        #expect(driver.served >= proven + .seconds(3_500))
    }

    @Test func afterARestartOfTheComputerTheContentDecides() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .zero) }
        let stamp = FolderDriver.stamp(5)
        try driver.bringToProof("a", stamp)
        var next = FolderDriver(
            { $0.after = .delete(grace: .zero) }, restoring: Array(driver.records.values), isSameBoot: false,
            served: driver.served + .seconds(60))
        #expect(try next.step().step == .compare(ItemPath("a"), partBytes: 8 << 20))
    }

    @Test func aBadFileIsQuarantinedAndBlocksNoOther() throws {
        var driver = FolderDriver { $0.quarantineAfter = 2 }
        try driver.bringToSending("bad", FolderDriver.stamp(5))
        try driver.finishSending(.refused("its name"))
        #expect(try driver.state(5) == .waiting)
        driver.handle(.rescan(FolderDriver.folder))
        driver.pass(10)
        try driver.look("bad", FolderDriver.stamp(5))
        try driver.finishSending(.refused("its name"))
        #expect(try driver.state(5) == .quarantined)
        #expect(try driver.reason(5) == "the gateway refuses the file: its name")
        driver.handle(.rescan(FolderDriver.folder))
        try driver.bringToProof("good", FolderDriver.stamp(6))
        #expect(try driver.state(6) == .proven)
        driver.handle(.retry(try driver.id(5)))
        try driver.look("bad", FolderDriver.stamp(5))
        _ = try driver.order()
    }

    @Test func aFileThatChangesLeavesItsQuarantineForGood() throws {
        var driver = FolderDriver { $0.quarantineAfter = 1 }
        try driver.bringToSending("a", FolderDriver.stamp(5))
        try driver.finishSending(.unreadable("a bad block"))
        let id = try driver.id(5)
        #expect(driver.records[id]?.course == .quarantined("the file cannot be read: a bad block"))
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(ItemPath("a"), FolderDriver.stamp(5, at: 9_100))])
        #expect(try driver.state(5) == .settling)
        #expect(driver.records[id]?.course == .usual)
    }

    @Test func aFileWithoutAValidKeyIsQuarantinedAtOnce() throws {
        var driver = FolderDriver()
        try driver.scan([ScanEntry(ItemPath([0xFF, 0xFE]), FolderDriver.stamp(5))])
        #expect(try driver.state(5) == .quarantined)
        #expect(try driver.reason(5) == "the file has no valid key: the key is not UTF-8")
    }

    @Test func aPausedFolderSendsNothing() throws {
        var driver = FolderDriver()
        driver.handle(.paused(FolderDriver.folder, true))
        try driver.bringToSending("a", FolderDriver.stamp(5))
        #expect(try driver.reason(5) == "its folder is paused")
        driver.handle(.paused(FolderDriver.folder, false))
        _ = try driver.order()
    }

    @Test func anItemIsSmall() {
        #expect(MemoryLayout<Item>.stride <= 184, "\(MemoryLayout<Item>.stride)")
        #expect(MemoryLayout<ItemPhase>.size <= 33, "\(MemoryLayout<ItemPhase>.size)")
    }
}
