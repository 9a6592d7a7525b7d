import FolderCore
import Testing
import TransferCommon

/// When a file is ready, and in which order files are sent.
@Suite struct ReadinessTests {
    private static let stamp = FolderDriver.stamp(5)

    @Test func aFileThatWasMovedHereIsReadyAtOnce() throws {
        var driver = FolderDriver { $0.ready = .rename }
        try driver.scan([])
        driver.handle(.noticed(FolderDriver.folder, ItemPath("a"), .movedHere))
        try driver.look("a", Self.stamp)
        try driver.look("a", Self.stamp)
        _ = try driver.order()
    }

    @Test func aFileThatWasClosedIsReadyAtOnce() throws {
        var driver = FolderDriver { $0.ready = .closeWrite }
        try driver.scan([ScanEntry(ItemPath("a"), Self.stamp)])
        driver.handle(.noticed(FolderDriver.folder, ItemPath("a"), .changed))
        try driver.look("a", Self.stamp)
        #expect(try driver.state(5) == .settling)
        driver.handle(.noticed(FolderDriver.folder, ItemPath("a"), .closedAfterWriting))
        try driver.look("a", Self.stamp)
        try driver.look("a", Self.stamp)
        _ = try driver.order()
    }

    @Test func aFileThatIsRenamedBeforeItIsSentHasTheKeyOfItsNewName() throws {
        var driver = FolderDriver { $0.ready = .rename }
        let stamp = FolderDriver.stamp(5)
        try driver.scan([ScanEntry(ItemPath("x.tmp"), stamp)])
        #expect(try driver.state(5) == .settling)
        driver.handle(.noticed(FolderDriver.folder, ItemPath("x"), .movedHere))
        // The look at what was reported finds an inode that is known under another name.
        try driver.look("x", stamp)
        try driver.look("x", stamp)
        driver.pass(0)
        try driver.look("x", stamp)
        #expect(try driver.order().order.key == FolderDriver.key("x"))
    }

    @Test(arguments: [FolderRules.Ready.rename, .closeWrite])
    func whatHappenedWhileTheServiceWasDownCountsAsIdle(_ ready: FolderRules.Ready) throws {
        var driver = FolderDriver { $0.ready = ready }
        try driver.bringToSending("a", Self.stamp)
        _ = try driver.order()
    }

    /// A temporary file that is idle for a while must not be sent, and not be deleted.
    @Test(arguments: [FolderRules.Ready.rename, .closeWrite])
    func aNewFileWithoutAReportWaitsLong(ready: FolderRules.Ready) throws {
        var driver = FolderDriver { $0.ready = ready }
        driver.handle(.watching(FolderDriver.folder, true))
        try driver.scan([])
        driver.handle(.rescan(FolderDriver.folder))
        try driver.scan([ScanEntry(ItemPath("a.tmp"), Self.stamp)])
        driver.pass(599)
        #expect(try driver.state(5) == .settling)
        driver.pass(1)
        try driver.look("a.tmp", Self.stamp)
        _ = try driver.order()
    }

    @Test func aFileWaitsForItsMarker() throws {
        var driver = FolderDriver { $0.ready = .marker }
        try driver.scan([ScanEntry(ItemPath("d/a"), Self.stamp)])
        driver.pass(10)
        try driver.look("d/a", Self.stamp)
        #expect(try driver.state(5) == .unmarked)
        #expect(try driver.reason(5) == "the file a.done does not stand beside it yet")
        driver.handle(.noticed(FolderDriver.folder, ItemPath("d/a.done"), .changed))
        try driver.look("d/a", Self.stamp) { $0.hasMarker = true }
        try driver.look("d/a", Self.stamp) { $0.hasMarker = true }
        _ = try driver.order()
    }

    @Test func aScanFindsAMarkerWhoseNotificationWasLost() throws {
        var driver = FolderDriver { $0.ready = .marker }
        try driver.scan([ScanEntry(ItemPath("a"), Self.stamp)])
        driver.pass(30)
        try driver.look("a", Self.stamp)
        try driver.scan([ScanEntry(ItemPath("a"), Self.stamp, hasMarker: true)])
        try driver.look("a", Self.stamp) { $0.hasMarker = true }
        _ = try driver.order()
    }

    @Test func contentIsComparedWhereStampsDoNotCount() throws {
        var driver = FolderDriver()
        try driver.scan([ScanEntry(ItemPath("a"), Self.stamp)])
        driver.pass(10)
        try driver.look("a", Self.stamp) { $0.fileSystem = .local }
        try driver.look("a", Self.stamp) {
            $0.fileSystem = .local
            $0.root = FolderDriver.digest(1)
        }
        #expect(try driver.state(5) == .settling)
        driver.pass(10)
        try driver.look("a", Self.stamp) {
            $0.fileSystem = .local
            $0.root = FolderDriver.digest(1)
        }
        let key = try driver.order().order.key
        let proof = ItemProof(
            store: FolderDriver.store, key: key, session: .zero, stamp: Self.stamp, partBytes: 8,
            root: FolderDriver.digest(1))
        try driver.finishSending(.stored(StoredReading(proof, after: Self.stamp, fileSystem: .local)))
        #expect(try driver.state(5) == .confirming)
        try driver.look("a", Self.stamp) {
            $0.fileSystem = .local
            $0.prefixRoot = FolderDriver.digest(1)
        }
        #expect(try driver.state(5) == .proven)
    }

    @Test func contentThatChangedWhileItWasSentIsNotProven() throws {
        var driver = FolderDriver()
        let stamp = Self.stamp
        try driver.bringToSending("a", stamp)
        let proof = ItemProof(
            store: FolderDriver.store, key: try driver.order().order.key, session: .zero, stamp: stamp, partBytes: 8,
            root: FolderDriver.digest(1))
        try driver.finishSending(.stored(StoredReading(proof, after: stamp, fileSystem: .shared)))
        try driver.look("a", stamp) { $0.prefixRoot = FolderDriver.digest(2) }
        #expect(try driver.state(5) == .settling)
        #expect(driver.records.values.allSatisfy { $0.stored.proof == nil })
    }

    private static func names(_ order: FolderRules.Order) throws -> [String] {
        var driver = FolderDriver {
            $0.order = order
            $0.priorities = [.init(NamePattern("*.event"), priority: 9)]
        } limits: {
            $0.sendingMax = 1
        }
        let files = [
            ("c", FolderDriver.stamp(1, size: 30, at: 9_002)), ("a", FolderDriver.stamp(2, size: 20, at: 9_003)),
            ("b", FolderDriver.stamp(3, size: 10, at: 9_001)), ("x.event", FolderDriver.stamp(4, size: 99, at: 9_002)),
        ]
        driver.handle(.rate(.init(rate: 0, reason: "night")))
        try driver.scan(files.map { ScanEntry(ItemPath($0.0), $0.1) })
        driver.pass(10)
        for (name, stamp) in files { try driver.look(name, stamp) }
        #expect(try driver.reason(1) == "night")
        driver.handle(.rate(.unlimited))
        var names: [String] = []
        for _ in files {
            let order = try driver.order().order
            names.append(order.path.text)
            try driver.store(try #require(files.first { $0.0 == order.path.text }).1)
        }
        return names
    }

    @Test func priorityOvertakesAndTheOrderDecides() throws {
        #expect(try Self.names(.oldest) == ["x.event", "b", "c", "a"])
        #expect(try Self.names(.newest) == ["x.event", "a", "c", "b"])
        #expect(try Self.names(.smallest) == ["x.event", "b", "a", "c"])
        #expect(try Self.names(.name) == ["x.event", "a", "b", "c"])
    }

    @Test func tooManyNotificationsLeadToAScan() throws {
        var driver = FolderDriver(limits: {
            $0.noticesMax = 2
            $0.lookingMax = 0
        })
        try driver.scan([])
        for number in 0..<3 { driver.handle(.noticed(FolderDriver.folder, ItemPath("f\(number)"), .changed)) }
        try driver.scan([])
    }

    @Test func aScanTakesHalfAPercentOfTheTime() {
        var scan = FolderScan(now: Instant(nanoseconds: 0))
        let began = scan.begin(RequestID(1), now: Instant(nanoseconds: 0))
        let end = Instant(nanoseconds: 0) + .seconds(3)
        let isComplete = scan.ended(RequestID(1), failure: nil, interval: .seconds(30), now: end)
        #expect(began && isComplete)
        #expect(scan.nextDeadline == end + .seconds(600))
    }
}
