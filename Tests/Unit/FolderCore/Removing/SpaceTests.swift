import FolderCore
import Testing
import TransferCommon

@Suite struct SpaceTests {
    private static func driver(_ whenFull: FolderRules.WhenFull) -> FolderDriver {
        FolderDriver {
            $0.after = .delete(grace: .seconds(1_000_000))
            $0.whenFull = whenFull
            $0.freeBytesMin = 100
        }
    }

    private static func low(_ driver: inout FolderDriver) {
        driver.handle(.space(FolderDriver.folder, freeBytes: 50))
    }

    @Test func holdDeletesNothingEarly() throws {
        var driver = Self.driver(.hold)
        try driver.bringToProof("a", FolderDriver.stamp(5))
        Self.low(&driver)
        #expect(driver.take().contains(.report(.spaceLow(FolderDriver.folder))))
        #expect(try driver.state(5) == .proven)
    }

    @Test func theOldestProofIsDeletedEarly() throws {
        var driver = Self.driver(.deleteProvenEarly)
        try driver.bringToProof("b", FolderDriver.stamp(5))
        driver.handle(.rescan(FolderDriver.folder))
        try driver.bringToProof("a", FolderDriver.stamp(6))
        Self.low(&driver)
        #expect(try driver.step().step == .compare(ItemPath("b"), partBytes: nil))
        #expect(try driver.state(6) == .proven)
        Self.low(&driver)
        #expect(try driver.step().step == .compare(ItemPath("a"), partBytes: nil))
    }

    @Test func sheddingIsListedBeforeItHappens() throws {
        var driver = Self.driver(.shed)
        let stamp = FolderDriver.stamp(5)
        driver.handle(.paused(FolderDriver.folder, false))
        try driver.bringToSending("a", stamp)
        try driver.finishSending(.failed(.network))
        driver.commits = false
        _ = driver.take()
        Self.low(&driver)
        let id = try driver.id(5)
        guard case .journal(let number, let changes, _) = try #require(driver.take().last) else {
            throw FolderDriver.Missing()
        }
        #expect(changes == [.shed(id, ItemPath("a"), size: 10)])
        driver.commits = true
        driver.handle(.journalCommitted(number))
        #expect(try driver.answer(.done) == .unlink(ItemPath("a"), stamp))
        #expect(try driver.answer(.done) == .syncDirectory(ItemPath("a")))
        #expect(driver.machine.itemCount == 0)
    }

    @Test func aChangedFileIsNotShed() throws {
        var driver = Self.driver(.shed)
        try driver.bringToSending("a", FolderDriver.stamp(5))
        try driver.finishSending(.failed(.network))
        Self.low(&driver)
        _ = try driver.answer(.changed)
        #expect(try driver.state(5) == .settling)
    }
}
