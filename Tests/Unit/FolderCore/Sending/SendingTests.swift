import FolderCore
import Testing
import TransferCommon

/// Failures that are not the file's, and what may be replaced.
@Suite struct SendingTests {
    private static let stamp = FolderDriver.stamp(5)

    private static func sends(_ driver: FolderDriver) -> Bool {
        driver.actions.contains { if case .send = $0 { true } else { false } }
    }

    // MARK: The gate

    @Test func aFileThatAlwaysFailsDoesNotKeepOthersFromBeingSent() throws {
        let cause = GateCause.failing("the store refuses the request")
        var driver = FolderDriver()
        try driver.bringToSending("a", FolderDriver.stamp(5))
        try driver.finishSending(.failed(cause))
        driver.handle(.rescan(FolderDriver.folder))
        try driver.bringToSending("b", FolderDriver.stamp(6))
        driver.pass(120)
        #expect(try driver.order().order.path == ItemPath("b"))
        try driver.store(FolderDriver.stamp(6))
        #expect(try driver.order().order.path == ItemPath("a"))
        try driver.finishSending(.failed(cause))
        #expect(try driver.state(5) == .waiting)
        #expect(driver.machine.sendingPause == nil)
    }

    /// While nothing is stored, no file is at fault.
    @Test func aFileIsNotBlamedForAStoreThatFails() throws {
        let cause = GateCause.failing("the store is full")
        var driver = FolderDriver()
        try driver.bringToSending("a", FolderDriver.stamp(5))
        for _ in 0..<20 {
            try driver.finishSending(.failed(cause))
            #expect(try driver.state(5) == .ready)
            driver.pass(4_000)
        }
    }

    @Test func theNetworkIsTriedAgainWithinTenSecondsForever() throws {
        var driver = FolderDriver()
        try driver.bringToSending("a", Self.stamp)
        for _ in 0..<20 {
            try driver.finishSending(.failed(.network))
            #expect(try driver.reason(5) == "the gateway cannot be reached")
            #expect(!Self.sends(driver))
            driver.pass(11)
        }
        try driver.store(Self.stamp)
        #expect(try driver.state(5) == .proven)
    }

    @Test func aLinkThatComesUpIsTriedAtOnce() throws {
        var driver = FolderDriver()
        try driver.bringToSending("a", Self.stamp)
        driver.handle(.link(isUp: false))
        try driver.finishSending(.failed(.network))
        #expect(try driver.reason(5) == "no network interface is up")
        driver.pass(15)
        #expect(!Self.sends(driver))
        driver.handle(.link(isUp: true))
        #expect(Self.sends(driver))
    }

    @Test func aBusyGatewaySaysHowLong() throws {
        var driver = FolderDriver()
        try driver.bringToSending("a", Self.stamp)
        try driver.finishSending(.failed(.busy(retryAfter: .seconds(100))))
        driver.pass(99)
        #expect(!Self.sends(driver))
        driver.pass(1)
        #expect(Self.sends(driver))
    }

    @Test func aRefusedDeviceTriesEveryTenMinutesAndSaysSo() throws {
        var driver = FolderDriver()
        try driver.bringToSending("a", Self.stamp)
        try driver.finishSending(.failed(.unauthorised))
        #expect(driver.take().contains(.report(.gateClosed(.unauthorised))))
        #expect(try driver.reason(5) == "the gateway does not accept this device")
        driver.pass(599)
        #expect(!Self.sends(driver))
        driver.pass(1)
        try driver.finishSending(.failed(.unauthorised))
        #expect(driver.take().contains(.report(.gateClosed(.unauthorised))))
    }

    @Test(arguments: [
        (GateCause.fenced, 900, "another sluice-agent with the same identity is at work; stop one of them"),
        (.failing("the store is full"), 60, "the store is full"),
    ])
    func whatDoesNotPassByItselfIsTriedSeldom(cause: GateCause, seconds: Int64, reason: String) throws {
        var driver = FolderDriver()
        try driver.bringToSending("a", Self.stamp)
        try driver.finishSending(.failed(cause))
        #expect(try driver.reason(5) == reason)
        driver.pass(seconds - 1)
        #expect(!Self.sends(driver))
        driver.pass(1)
        #expect(Self.sends(driver))
    }

    // MARK: Several folders

    @Test func foldersOfOnePriorityTakeTurns() throws {
        var driver = FolderDriver(limits: { $0.sendingMax = 1 }, folders: 2)
        let stamps = (5...8).map { FolderDriver.stamp($0) }
        try driver.scan([ScanEntry(ItemPath("c"), stamps[2]), ScanEntry(ItemPath("d"), stamps[3])])
        try driver.scan([ScanEntry(ItemPath("a"), stamps[0]), ScanEntry(ItemPath("b"), stamps[1])])
        driver.pass(10)
        for (path, stamp) in zip(["a", "b", "c", "d"], stamps) { try driver.look(path, stamp) }
        var keys: [String] = []
        for _ in stamps {
            let order = try driver.order().order
            keys.append(order.key.text)
            try driver.store(FolderDriver.stamp(order.inode))
        }
        #expect(keys == ["a", "c", "b", "d"])
    }

    // MARK: The agent's own disk

    @Test func aFullDiskPausesSendingAndEndsByItself() throws {
        var driver = FolderDriver()
        driver.commits = false
        try driver.scan([ScanEntry(ItemPath("a"), Self.stamp)])
        driver.handle(.journalFailed(1, .full))
        #expect(driver.machine.sendingPause == "the disk of the agent's state is full")
        driver.commits = true
        driver.pass(5)
        #expect(driver.machine.sendingPause == nil)
        driver.pass(10)
        try driver.look("a", Self.stamp)
        _ = try driver.order()
    }

    @Test func aRemovalGetsTheReserveOfTheJournal() throws {
        var driver = FolderDriver { $0.after = .delete(grace: .zero) }
        try driver.bringToProof("a", Self.stamp)
        driver.commits = false
        _ = try driver.answer(.found(Self.stamp, .unavailable, root: nil))
        try driver.prove(.proven(store: FolderDriver.store))
        let number = try #require(
            driver.take().compactMap { if case .journal(let number, _, _) = $0 { number } else { nil } }.last)
        driver.handle(.journalFailed(number, .full))
        #expect(driver.take().contains(.freeReserve))
    }

    @Test func atTheStateLimitSendingPausesAndDeletionContinues() throws {
        var driver = FolderDriver {
            $0.after = .delete(grace: .seconds(50))
        } limits: {
            $0.stateBytesMax = 100
        }
        try driver.bringToProof("a", Self.stamp)
        driver.handle(.stateSize(100))
        driver.handle(.rescan(FolderDriver.folder))
        try driver.bringToSending("b", FolderDriver.stamp(6))
        #expect(!Self.sends(driver))
        #expect(try driver.reason(6) == "the agent's state has reached its limit")
        driver.pass(60)
        #expect(try driver.step().step == .compare(ItemPath("a"), partBytes: nil))
    }

    // MARK: What may be replaced

    /// A proven file has other bytes.
    private static func change(
        _ onChange: FolderRules.OnChange, size: UInt64, prefixRoot: UInt8
    ) throws -> FolderDriver {
        var driver = FolderDriver { $0.onChange = onChange }
        try driver.bringToProof("d/a.bin", stamp)
        driver.handle(.rescan(FolderDriver.folder))
        let changed = FolderDriver.stamp(5, size: size, at: 9_100)
        try driver.scan([ScanEntry(ItemPath("d/a.bin"), changed)])
        driver.pass(10)
        try driver.look("d/a.bin", changed) { $0.prefixRoot = FolderDriver.digest(prefixRoot) }
        return driver
    }

    private static func recall(_ driver: inout FolderDriver, wasRemoved: Bool) throws {
        let request = try #require(
            driver.take().compactMap { if case .recall(let request, _) = $0 { request } else { nil } }.last)
        driver.handle(.recalled(request, wasRemoved: wasRemoved))
    }

    @Test func aContinuationReplacesItsOwnObject() throws {
        var driver = try Self.change(.keep, size: 20, prefixRoot: 1)
        try Self.recall(&driver, wasRemoved: false)
        #expect(try driver.order().order.condition == .matches(SessionID(high: 0, low: 1)))
        // The withdrawal was durable before.
        #expect(driver.records.values.allSatisfy { $0.stored.proof == nil && $0.stored.record != nil })
    }

    @Test func aContinuationOfARemovedFilesObjectIsKept() throws {
        var driver = try Self.change(.keep, size: 20, prefixRoot: 1)
        try Self.recall(&driver, wasRemoved: true)
        #expect(try driver.state(5) == .taken)
    }

    @Test func otherContentIsKept() throws {
        var driver = try Self.change(.keep, size: 10, prefixRoot: 2)
        #expect(try driver.order().order.condition == .absent)
        try driver.finishSending(.keyTaken)
        #expect(try driver.state(5) == .taken)
        #expect(try driver.reason(5) == "its key holds an object with other content")
    }

    @Test func otherContentGetsANewKey() throws {
        var driver = try Self.change(.newKey, size: 10, prefixRoot: 2)
        #expect(try driver.order().order.key == FolderDriver.key("d/a~2.bin"))
        try driver.finishSending(.keyTaken)
        #expect(try driver.order().order.key == FolderDriver.key("d/a~3.bin"))
        #expect(try driver.order().order.condition == .absent)
    }

    @Test func replacingWithdrawsTheProofFirst() throws {
        var driver = try Self.change(.replace, size: 10, prefixRoot: 2)
        driver.commits = false
        try Self.recall(&driver, wasRemoved: false)
        #expect(!Self.sends(driver))
        guard case .journal(let number, let changes, _) = try #require(driver.take().last) else {
            throw FolderDriver.Missing()
        }
        guard case .put(let record) = changes.first else { throw FolderDriver.Missing() }
        #expect(record.stored.proof == nil)
        driver.handle(.journalCommitted(number))
        #expect(try driver.order().order.condition == .any)
    }

    @Test func theObjectOfARemovedFileIsNeverReplaced() throws {
        var driver = try Self.change(.replace, size: 10, prefixRoot: 2)
        try Self.recall(&driver, wasRemoved: true)
        #expect(try driver.order().order.key == FolderDriver.key("d/a~2.bin"))
        #expect(try driver.order().order.condition == .absent)
    }

    @Test func aRotatedFileLosesItsKeyWithItsProofInOneTransaction() throws {
        var driver = FolderDriver { $0.onChange = .replace }
        try driver.bringToProof("log", Self.stamp)
        let first = try driver.id(5)
        driver.handle(.rescan(FolderDriver.folder))
        driver.commits = false
        try driver.scan([ScanEntry(ItemPath("log"), FolderDriver.stamp(6))])
        let changes = driver.take().compactMap { if case .journal(_, let changes, _) = $0 { changes } else { nil } }
        #expect(changes.count == 1)
        let records = changes.joined().compactMap { if case .put(let record) = $0 { record } else { nil } }
        #expect(records.first { $0.id == first }?.stored == StoredState.none)
        #expect(try records.first { $0.id == first }?.key == FolderDriver.key("log~2"))
        #expect(try records.first { $0.id != first }?.key == FolderDriver.key("log"))
    }

    @Test func aKeyOfAnotherFileIsWaitedFor() throws {
        var driver = FolderDriver { $0.keys = .name }
        try driver.scan([ScanEntry(ItemPath("a/x"), Self.stamp), ScanEntry(ItemPath("b/x"), FolderDriver.stamp(6))])
        #expect(try driver.state(6) == .taken)
        #expect(try driver.reason(6) == "another file of the folder has its key")
    }

    @Test func aFileGetsItsKeyWhenTheOtherFileIsGone() throws {
        var driver = FolderDriver { $0.keys = .name }
        try driver.scan([ScanEntry(ItemPath("a/x"), Self.stamp), ScanEntry(ItemPath("b/x"), FolderDriver.stamp(6))])
        #expect(try driver.state(6) == .taken)
        for _ in 1...2 {
            driver.handle(.rescan(FolderDriver.folder))
            try driver.scan([ScanEntry(ItemPath("b/x"), FolderDriver.stamp(6))])
        }
        #expect(try driver.state(6) == .settling)
        #expect(try driver.records[driver.id(6)]?.key == FolderDriver.key("x"))
    }

    /// Other content does not help a file whose name gives no valid key. Under another name it is a new file.
    @Test func aFileWithoutAKeyIsSentUnderAnotherName() throws {
        var driver = FolderDriver()
        try driver.scan([ScanEntry(ItemPath("a\\b"), Self.stamp)])
        #expect(try driver.state(5) == .quarantined)
        let longer = FolderDriver.stamp(5, size: 11)
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(ItemPath("a\\b"), longer)])
        driver.pass(20)
        #expect(try driver.state(5) == .quarantined)
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(ItemPath("b"), longer)])
        try driver.look("b", longer)
        #expect(try driver.state(5) == .settling)
        driver.pass(10)
        try driver.look("b", longer)
        #expect(try driver.order().order.key == FolderDriver.key("b"))
    }

    // MARK: Metered networks

    @Test func onAMeteredNetworkOnlyUrgentFilesAreSent() throws {
        var driver = FolderDriver { $0.priorities = [.init(NamePattern("urgent*"), priority: 7)] }
        let later = FolderDriver.stamp(6, at: 9_001)
        driver.handle(.metered(minPriority: 7))
        try driver.scan([ScanEntry(ItemPath("a"), Self.stamp), ScanEntry(ItemPath("urgent"), later)])
        driver.pass(10)
        try driver.look("a", Self.stamp)
        #expect(!Self.sends(driver))
        #expect(try driver.reason(5) == "the network is metered, and only files of priority 7 or more are sent")
        try driver.look("urgent", later)
        #expect(try driver.order().order.path == ItemPath("urgent"))
        try driver.store(later)
        #expect(!Self.sends(driver))
        driver.handle(.metered(minPriority: nil))
        #expect(try driver.order().order.path == ItemPath("a"))
    }
}
