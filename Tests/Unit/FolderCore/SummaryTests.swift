import FolderCore
import Testing
import TransferCommon

/// What people are shown of a folder, and when a flush ends.
@Suite struct SummaryTests {
    private static func summary(_ driver: FolderDriver, troublesMax: Int = 10) throws -> FolderSummary {
        try #require(driver.machine.summaries(troublesMax: troublesMax).first)
    }

    @Test func pendingFilesAreCountedUntilTheyAreProven() throws {
        var driver = FolderDriver()
        #expect(try Self.summary(driver).activity == .idle)
        let first = FolderDriver.stamp(5, size: 100)
        try driver.scan([ScanEntry(ItemPath("a"), first), ScanEntry(ItemPath("b"), FolderDriver.stamp(6, size: 20))])
        driver.pass(10)
        var summary = try Self.summary(driver)
        #expect(summary.pendingCount == 2 && summary.pendingBytes == 120 && summary.provenCount == 0)
        #expect(summary.oldestAge == .seconds(10))
        #expect(summary.activity == .waiting)
        #expect(summary.reason == "the oldest file waits: its content is being looked at")
        try driver.look("a", first)
        #expect(try Self.summary(driver).activity == .sending)
        try driver.store(first)
        summary = try Self.summary(driver)
        #expect(summary.pendingCount == 1 && summary.pendingBytes == 20 && summary.provenCount == 1)
    }

    @Test func theAgeCountsFromTheChangeOfAProvenFile() throws {
        var driver = FolderDriver()
        try driver.bringToProof("a", FolderDriver.stamp(5))
        driver.pass(1_000)
        #expect(try Self.summary(driver).oldestAge == nil)
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(ItemPath("a"), FolderDriver.stamp(5, size: 11, at: 9_500))])
        driver.suspend(7)
        #expect(try Self.summary(driver).oldestAge == .seconds(7))
    }

    @Test func theFirstTroublesAreListedAndAllAreCounted() throws {
        var driver = FolderDriver()
        let names: [UInt8] = [0xFC, 0xFD, 0xFE]
        try driver.scan(names.map { ScanEntry(ItemPath([$0]), FolderDriver.stamp(UInt64($0))) })
        let summary = try Self.summary(driver, troublesMax: 2)
        #expect(summary.troubleCount == 3 && summary.pendingCount == 3)
        #expect(try summary.troubles == [driver.id(0xFC), driver.id(0xFD)])
        #expect(driver.machine.stoppedCount == 3)
    }

    @Test func aFolderSaysWhyItMakesNoProgress() throws {
        var driver = FolderDriver()
        try driver.bringToSending("a", FolderDriver.stamp(5))
        try driver.finishSending(.failed(.network))
        #expect(try Self.summary(driver).reason == "the gateway cannot be reached")
        driver.handle(.paused(FolderDriver.folder, true))
        #expect(try Self.summary(driver).activity == .paused)
        driver.handle(.rescan(FolderDriver.folder))
        #expect(driver.machine.scanFailure(of: FolderDriver.folder) == nil)
        try driver.scan([], failure: "permission denied")
        #expect(driver.machine.scanFailure(of: FolderDriver.folder) == "permission denied")
        #expect(try Self.summary(driver).activity == .failed)
        #expect(try Self.summary(driver).reason == "the folder cannot be scanned: permission denied")
    }

    @Test func theFreeSpaceIsShown() throws {
        var driver = FolderDriver()
        driver.handle(.space(FolderDriver.folder, freeBytes: 77))
        #expect(try Self.summary(driver).freeBytes == 77)
    }

    @Test func aFlushWaitsOnlyForTheFilesThatWereUnderWay() throws {
        var driver = FolderDriver()
        let none = driver.machine.beginFlush()
        #expect(driver.machine.isFlushed(none))
        try driver.bringToSending("a", FolderDriver.stamp(5))
        #expect(driver.machine.isFlushed(none))
        let mark = driver.machine.beginFlush()
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(ItemPath("a"), FolderDriver.stamp(5)), ScanEntry(ItemPath("b"), Self.later)])
        #expect(!driver.machine.isFlushed(mark))
        try driver.store(FolderDriver.stamp(5))
        #expect(driver.machine.isFlushed(mark))
        let second = driver.machine.beginFlush()
        #expect(!driver.machine.isFlushed(second))
    }

    private static let later = FolderDriver.stamp(6)

    @Test func aFlushDoesNotWaitForAFileThatAPersonHasToHelp() throws {
        var driver = FolderDriver { $0.quarantineAfter = 1 }
        try driver.bringToSending("a", FolderDriver.stamp(5))
        let mark = driver.machine.beginFlush()
        try driver.finishSending(.refused("its name"))
        #expect(driver.machine.isFlushed(mark))
        #expect(driver.machine.stoppedCount == 1)
        driver.handle(.retry(try driver.id(5)))
        // The item is under way again, but it was set so after the flush began.
        #expect(driver.machine.isFlushed(mark) && driver.machine.stoppedCount == 0)
    }

    @Test func aFlushEndsWhenItsFilesAreGone() throws {
        var driver = FolderDriver()
        try driver.scan([ScanEntry(ItemPath("a"), FolderDriver.stamp(5))])
        let mark = driver.machine.beginFlush()
        for _ in 0..<2 {
            #expect(!driver.machine.isFlushed(mark))
            driver.handle(.rescan(FolderDriver.folder))
            try driver.scan([])
        }
        #expect(driver.machine.itemCount == 0 && driver.machine.isFlushed(mark))
    }

    @Test func aFlushWaitsForFilesThatTheJournalKnows() throws {
        var driver = FolderDriver()
        try driver.scan([ScanEntry(ItemPath("a"), FolderDriver.stamp(5))])
        var next = FolderDriver(restoring: Array(driver.records.values))
        let mark = next.machine.beginFlush()
        #expect(!next.machine.isFlushed(mark))
        try next.bringToProof("a", FolderDriver.stamp(5))
        #expect(next.machine.isFlushed(mark))
    }
}
