import FolderCore
import Testing
import TransferCommon

/// How items get their keys.
@Suite struct KeyClaimTests {
    private static let first = FolderDriver.stamp(5)
    private static let second = FolderDriver.stamp(6)

    @Test func aFileWithANumberedKeySettlesBeforeItIsSent() throws {
        var driver = FolderDriver {
            $0.keys = .name
            $0.onChange = .newKey
        }
        try driver.scan([ScanEntry(ItemPath("a/x"), Self.first), ScanEntry(ItemPath("b/x"), Self.second)])
        #expect(try driver.state(6) == .settling)
        driver.pass(10)
        try driver.look("b/x", Self.second)
        #expect(try driver.order().order.key == FolderDriver.key("x~2"))
    }

    @Test func aFileWhoseKeyBecomesFreeSettlesOnceItsRecordIsDurable() throws {
        var driver = FolderDriver { $0.keys = .name }
        try driver.scan([ScanEntry(ItemPath("a/x"), Self.first), ScanEntry(ItemPath("b/x"), Self.second)])
        for _ in 0..<2 {
            driver.handle(.rescan(FolderDriver.folder))
            try driver.scan([ScanEntry(ItemPath("b/x"), Self.second)])
        }
        // The second scan has missed the other file, too, and so its key is free.
        #expect(try driver.state(6) == .settling)
        driver.pass(10)
        try driver.look("b/x", Self.second)
        #expect(try driver.order().order.key == FolderDriver.key("x"))
    }

    @Test func theJournalKnowsThatNoNumberedKeyIsFree() throws {
        var driver = FolderDriver { $0.onChange = .newKey }
        // No number fits into a key of the greatest length.
        let path = String(repeating: "x", count: ObjectKey.byteCountMax)
        try driver.bringToProof(path, Self.first)
        let id = try driver.id(5)
        driver.handle(.rescan(FolderDriver.folder))
        let changed = FolderDriver.stamp(5, at: 9_100)
        try driver.scan([ScanEntry(ItemPath(path), changed)])
        driver.pass(10)
        try driver.look(path, changed) { $0.prefixRoot = FolderDriver.digest(2) }
        let reason = "the file has no valid key: every numbered key is taken or too long"
        #expect(try driver.state(5) == .quarantined && driver.reason(5) == reason)
        #expect(driver.records[id]?.course == .quarantined(reason))
    }

    @Test func aFileGetsAKeyOnceItsNameAllowsOne() throws {
        var driver = FolderDriver()
        try driver.scan([ScanEntry(ItemPath([0xFF]), Self.first)])
        #expect(try driver.state(5) == .quarantined)
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(ItemPath("good"), Self.first)])
        try driver.look("good", Self.first)
        #expect(try driver.state(5) == .settling)
        driver.pass(10)
        try driver.look("good", Self.first)
        #expect(try driver.order().order.key == FolderDriver.key("good"))
    }

    @Test func aFileWithoutAKeyStaysQuarantinedWhateverItsContent() throws {
        var driver = FolderDriver()
        let path = ItemPath([0xFF])
        try driver.scan([ScanEntry(path, Self.first)])
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(path, FolderDriver.stamp(5, at: 9_100))])
        driver.pass(10)
        #expect(try driver.state(5) == .quarantined)
        #expect(!driver.take().contains { if case .look = $0 { true } else { false } })
    }
}
