import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Limits on how many objects the gateway reads back at once, in all and for each device (specification §5.3). SESSION
/// OPEN and PROVE share them.
@Suite struct ReadBackTests {
    private static let nothingKnown = ObjectSummary(
        size: 2_500, partBytes: 0, evidence: .none, etag: "e", version: "", session: nil)
    private static let read = ObjectSummary(
        size: 2_500, partBytes: 1_000, evidence: .root(GatewayDriver.complete(2_500).root), etag: "e", version: "",
        session: nil, isVerified: true)

    @Test func twoObjectsOfADeviceAreReadAtOnce() {
        var driver = GatewayDriver.reading()
        driver.connect()
        for slot in 1...4 { driver.proveUnknown(slot: UInt16(slot), "file-\(slot)") }
        #expect(driver.keysBeingRead == ["site/file-1", "site/file-2"])
        driver.answer(.object(Self.read))
        #expect(driver.keysBeingRead == ["site/file-2", "site/file-3"], "in the order in which they were asked for")
    }

    @Test func devicesTakeTurnsAtReadingBack() {
        var driver = GatewayDriver.reading { $0.budgetBytes = 1 << 20 }
        let devices = (0..<6).map { number in
            AuthorisedDevice(
                name: "d\(number)", fingerprint: ToyDigest.sha256([9, UInt8(number)]), prefix: "d\(number)/")
        }
        driver.machine.devicesChanged(devices, now: driver.now)
        for device in devices {
            let id = driver.newConnection()
            driver.connect(id, of: device)
            for slot in 1...3 { driver.proveUnknown(slot: UInt16(slot), "f\(slot)", from: id) }
        }
        #expect(driver.keysBeingRead.count == 8)
        #expect(Set(driver.keysBeingRead.map { $0.prefix(2) }) == ["d0", "d1", "d2", "d3"])
        // The first device still has an object waiting to be read. But the gateway prefers a device of which it is
        // reading no object.
        driver.answer(.object(Self.read))
        #expect(driver.keysBeingRead.last == "d4/f1")
        for _ in 0..<40 where !driver.requests.isEmpty { driver.answer(.object(Self.read)) }
        #expect(driver.machine.slotsInUse == 0)
    }

    @Test func sessionsWaitForTheirTurnToo() throws {
        var driver = GatewayDriver.reading()
        driver.connect()
        for slot in 1...2 { driver.proveUnknown(slot: UInt16(slot), "file-\(slot)") }
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)), slot: Slot(3))
        let look = try #require(driver.requests.firstIndex { $0.request.kind == .lookUpObject })
        driver.requests.swapAt(0, look)
        #expect(frames(driver.answer(.object(Self.nothingKnown))).isEmpty, "the object is not read yet")
        #expect(driver.keysBeingRead.count == 2)
        driver.answer(.object(Self.read))
        driver.answer(.object(Self.read))
        #expect(driver.keysBeingRead == ["site/file"])
        let told = frames(driver.answer(.object(Self.read)))
        guard case .sessionExists(let exists) = told.first else { return unexpected(told) }
        #expect(exists.evidence == Self.read.evidence && exists.partBytes == 1_000)
    }

    /// Reading an object back costs its full size. The agent asked for no comparison, so the gateway does not read the
    /// foreign object.
    @Test func irrelevantObjectIsNotRead() {
        var driver = GatewayDriver.reading()
        driver.connect()
        let open = GatewayDriver.open(size: 2_500, condition: .absent, compares: false)
        driver.frame(.sessionOpen(open))
        let foreign = ObjectSummary(
            size: 2_500, partBytes: 1_000, evidence: .none, etag: "e", version: "",
            session: SessionID(high: 7, low: 7))
        let told = frames(driver.answer(.object(foreign)))
        guard case .sessionExists = told.first else { return unexpected(told) }
        #expect(driver.requests.isEmpty)
    }

    @Test func anObjectOfAnotherSizeIsNotRead() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 900)))
        driver.answer(.object(Self.nothingKnown))
        #expect(driver.keysBeingRead.isEmpty)
    }

    @Test func sessionLearnsWhyReadBackFailed() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        driver.answer(.object(Self.nothingKnown))
        let told = frames(driver.answer(.failed(.unavailable(retryAfter: .zero))))
        guard case .sessionRefused(let refused) = told.first else { return unexpected(told) }
        #expect(refused.code == .storeUnavailable)
    }

    /// The gateway is reading an object back for a session of several parts when the agent's connection is lost. When
    /// the agent returns, it opens a session under a new id, so no agent would receive this answer: the gateway cancels
    /// the read.
    @Test func readBackWithoutAnAgentIsCancelled() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        driver.answer(.object(Self.nothingKnown))
        let reading = driver.requests[0].id
        let actions = driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        #expect(actions.contains(.cancel(reading)))
        #expect(!driver.tick(after: .seconds(1)).contains(.cancel(reading)), "once")
        driver.answer(.failed(.cancelled))
        #expect(driver.machine.sessionCount == 0 && driver.machine.requestsUnderWay == 0)
    }

    /// A session lost its agent while its read-back was still queued. The read-back never starts; the session ends when
    /// the queue reaches it.
    @Test func sessionWithoutAnAgentStartsNoReadBack() {
        var driver = GatewayDriver.reading()
        driver.connect()
        for slot in 1...2 { driver.proveUnknown(slot: UInt16(slot), "file-\(slot)") }
        let other = driver.newConnection()
        driver.connect(other)
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)), from: other)
        driver.requests.swapAt(0, 2)
        driver.answer(.object(Self.nothingKnown))
        driver.change { $0.connectionLost(other, now: $1) }
        driver.answer(.object(Self.read))
        #expect(driver.requests.count == 1)
        #expect(driver.machine.sessionCount == 0)
    }

    // MARK: Shared reads

    /// Objects of the same key are the same object only if size, ETag and version are equal, and the digest is computed
    /// for the same part size.
    @Test func readersOfOneObjectShareARead() {
        var driver = GatewayDriver.reading()
        driver.connect()
        for slot in 1...3 { driver.proveUnknown(slot: UInt16(slot), "file") }
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)), slot: Slot(4))
        driver.answerLook(Self.nothingKnown)
        driver.proveUnknown(slot: 5, "file", etag: "other")
        #expect(driver.keysBeingRead == ["site/file", "site/file"])
        let told = frames(driver.answer(.object(Self.read)))
        #expect(told.count { if case .proven(.proven) = $0 { true } else { false } } == 3)
        #expect(told.count { if case .sessionExists = $0 { true } else { false } } == 1)
        #expect(driver.keysBeingRead.count == 1 && driver.machine.slotsInUse == 1)
    }

    /// If a store names neither ETag nor version, two look-ups may have found different bytes. So the gateway reads the
    /// object once for each reader.
    @Test func unnamedObjectsAreReadEach() {
        var driver = GatewayDriver.reading()
        driver.connect()
        for slot in 1...2 { driver.proveUnknown(slot: UInt16(slot), "file", etag: "") }
        #expect(driver.keysBeingRead == ["site/file", "site/file"])
    }

    @Test func sharedReadEndsWithItsLastReader() {
        var driver = GatewayDriver.reading { $0.readBacksPerDeviceMax = 1 }
        driver.connect()
        driver.proveUnknown(slot: 1, "file")
        driver.proveUnknown(slot: 2, "file")
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)), slot: Slot(3))
        driver.answerLook(Self.nothingKnown)
        let reading = driver.requests[0].id
        for slot in [1, 3] as [UInt16] {
            #expect(!driver.frame(.sessionLeave(SessionLeave()), slot: Slot(slot)).contains(.cancel(reading)))
        }
        #expect(driver.frame(.sessionLeave(SessionLeave()), slot: Slot(2)).contains(.cancel(reading)))
        // The cancelled call has not ended yet, so it still counts towards the limit. A new reader of the same object
        // needs a read of its own.
        driver.proveUnknown(slot: 4, "file")
        #expect(driver.requests.count == 1)
        driver.answer(.failed(.cancelled))
        #expect(driver.keysBeingRead == ["site/file"] && driver.requests[0].id != reading)
        driver.answer(.object(Self.read))
        #expect(driver.machine.slotsInUse == 0 && driver.machine.bytesReserved == driver.creditReserved)
    }

    @Test func readersOfSeveralDevicesShareARead() {
        var driver = GatewayDriver.reading { $0.readBacksPerDeviceMax = 1 }
        var other = GatewayDriver.otherDevice
        other.prefix = GatewayDriver.device.prefix
        driver.change { $0.devicesChanged([GatewayDriver.device, other], now: $1) }
        driver.connect()
        let second = driver.newConnection()
        driver.connect(second, run: 2, of: other)
        driver.proveUnknown(slot: 1, "first", from: second)
        driver.proveUnknown(slot: 2, "file", from: second)
        #expect(driver.keysBeingRead == ["site/first"])
        driver.proveUnknown(slot: 1, "file")
        #expect(driver.keysBeingRead == ["site/first", "site/file"])
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        driver.requests.swapAt(0, 1)
        let told = frames(driver.answer(.object(Self.read)), to: second)
        #expect(told.count { if case .proven = $0 { true } else { false } } == 1)
    }

    private func unexpected(_ told: [Frame], sourceLocation: SourceLocation = #_sourceLocation) {
        Issue.record("\(told)", sourceLocation: sourceLocation)
    }

    @Test func readBackReservesMemory() throws {
        var driver = GatewayDriver.reading {
            $0.initialCreditBytes = 0
            $0.budgetBytes = 32_000
            $0.budgetBytesPerDevice = 32_000
            $0.windowBytes = 16_000
        }
        driver.connect()
        let each = UInt64(2_000)
        driver.proveUnknown(slot: 1, "file-1")
        #expect(driver.machine.bytesReserved == each)
        driver.answer(.object(Self.read))
        #expect(driver.machine.bytesReserved == 0)

        // Part lists fill what the budget has for them, so that no memory is left for a read-back.
        let lists = (9...11).map { Slot($0) }
        for slot in lists {
            driver.frame(.resumeQuery(ResumeQuery(listedParts: 40, token: GatewayDriver.token())), slot: slot)
        }
        #expect(driver.machine.bytesReserved > 22_000)
        driver.proveUnknown(slot: 1, "file-1")
        #expect(driver.keysBeingRead.isEmpty)
        for slot in lists { driver.frame(.sessionLeave(SessionLeave()), slot: slot) }
        #expect(driver.keysBeingRead == ["site/file-1"])
    }

    @Test func deviceAtItsLimitHoldsUpNoOther() throws {
        var driver = GatewayDriver.reading {
            $0.initialCreditBytes = 0
            $0.budgetBytes = 128_000
            $0.budgetBytesPerDevice = 32_000
            $0.windowBytes = 16_000
        }
        let other = AuthorisedDevice(name: "other", fingerprint: ToyDigest.sha256([9]), prefix: "other/")
        driver.machine.devicesChanged([Pair.device, other], now: driver.now)
        driver.connect()
        for slot in 9...12 {
            let query = ResumeQuery(listedParts: 40, token: GatewayDriver.token())
            driver.frame(.resumeQuery(query), slot: Slot(UInt16(slot)))
        }
        driver.proveUnknown(slot: 1, "file-1")
        #expect(driver.keysBeingRead.isEmpty)
        let id = driver.newConnection()
        driver.connect(id, of: other)
        driver.proveUnknown(slot: 1, "file-2", from: id)
        #expect(driver.keysBeingRead == ["other/file-2"])
    }
}

extension GatewayDriver {
    /// Sends PROVE for an object without evidence, which the gateway therefore reads.
    fileprivate mutating func proveUnknown(
        slot: UInt16, _ key: String, etag: String = "e", from id: ConnectionID = connection
    ) {
        prove(key: key, readsBack: true, slot: Slot(slot), from: id)
        answerLook(
            ObjectSummary(size: 2_500, partBytes: 0, evidence: .none, etag: etag, version: "", session: nil))
    }

    fileprivate mutating func answerLook(_ object: ObjectSummary) {
        guard let look = requests.lastIndex(where: { $0.request.kind == .lookUpObject }) else { return }
        let asked = requests.remove(at: look)
        requests.insert(asked, at: 0)
        answer(.object(object))
    }

    fileprivate var creditReserved: UInt64 { UInt64(machine.limits.initialCreditBytes) }

    fileprivate var keysBeingRead: [String] {
        requests.compactMap { if case .readObject(let key, _, _) = $0.request { key } else { nil } }
    }
}
