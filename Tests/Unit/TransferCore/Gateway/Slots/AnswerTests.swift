import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// After RESUME STATE the gateway sends its list of stored parts page by page.
@Suite struct AnswerTests {
    private static let partCount: UInt32 = 10_000
    private static let size = UInt64(partCount) * 1_000

    private static func entries() throws -> [PartListEntry] {
        try (1...partCount).map { value in
            PartListEntry(
                part: try #require(PartNumber(value)), size: 1_000, digest: ToyDigest.sha256([1]),
                etag: "0123456789abcdef0123456789abcdef")
        }
    }

    private static func driver(budget: UInt64 = 64 << 20) -> GatewayDriver {
        var driver = GatewayDriver {
            $0.budgetBytes = budget
            $0.budgetBytesPerDevice = budget
        }
        driver.connect()
        return driver
    }

    private static func resume(
        _ driver: inout GatewayDriver, slot: UInt16, from id: ConnectionID = GatewayDriver.connection
    ) throws -> [GatewayAction] {
        let query = ResumeQuery(listedParts: 0, token: GatewayDriver.token(size: size), asksForPartials: true)
        var actions = driver.frame(.resumeQuery(query), slot: Slot(slot), from: id)
        while !driver.requests.isEmpty { actions += driver.answer(.parts(try entries())) }
        return actions
    }

    private static func pages(_ actions: [GatewayAction], slot: UInt16? = nil) -> [PartList] {
        actions.compactMap { action in
            guard case .send(_, let at, .partList(let page)) = action, slot.map({ Slot($0) == at }) ?? true else {
                return nil
            }
            return page
        }
    }

    private static func reported(_ actions: [GatewayAction]) -> UInt64 {
        actions.reduce(0) { sum, action in
            if case .reportWritten(_, let bytes) = action { sum + bytes } else { sum }
        }
    }

    private static func write(
        _ bytes: UInt64, _ driver: inout GatewayDriver, on id: ConnectionID = GatewayDriver.connection
    ) -> [GatewayAction] {
        driver.change { $0.handle(.written(bytes: bytes, on: id), now: $1) }
    }

    /// 1,000 queries at once cost no more memory than the pages that wait to be written, and each list arrives whole.
    @Test func manyQueriesAreAnsweredPageByPage() throws {
        var driver = Self.driver()
        var waiting: UInt64 = 0
        var listed: [UInt32] = Array(repeating: 0, count: 1_001)
        var ended = 0
        func take(_ actions: [GatewayAction], _ driver: GatewayDriver) {
            waiting += Self.reported(actions)
            #expect(waiting < driver.machine.limits.unwrittenBytesMax + (128 << 10))
            for action in actions {
                guard case .send(_, let slot, .partList(let page)) = action else { continue }
                listed[Int(slot.value)] += UInt32(page.entries.count)
                if page.isLast { ended += 1 }
            }
        }
        for slot in 1...1_000 as ClosedRange<UInt16> { take(try Self.resume(&driver, slot: slot), driver) }
        // The gateway reserves memory for the unwritten pages, and a kilobyte for the part numbers of each list.
        #expect(driver.machine.bytesReserved < 8 << 20)
        var rounds = 0
        while waiting > 0 {
            rounds += 1
            let written = waiting
            waiting = 0
            take(Self.write(written, &driver), driver)
        }
        #expect(ended == 1_000 && rounds < 5_000)
        #expect(listed.dropFirst().allSatisfy { $0 == Self.partCount })
    }

    @Test func otherFramesDoNotWaitForPages() throws {
        var driver = Self.driver()
        for slot in 1...3 as ClosedRange<UInt16> { _ = try Self.resume(&driver, slot: slot) }
        let told = frames(try Self.resume(&driver, slot: 4))
        #expect(told.contains { if case .resumeState = $0 { true } else { false } })
        #expect(!told.contains { if case .partList = $0 { true } else { false } })
        #expect(frames(driver.frame(.ping(Ping(nonce: 7)), slot: .connection)) == [.pong(Pong(nonce: 7))])
    }

    @Test func slotsThatAreLeftGetNoMorePages() throws {
        var driver = Self.driver()
        var waiting: UInt64 = 0
        for slot in 1...2 as ClosedRange<UInt16> { waiting += Self.reported(try Self.resume(&driver, slot: slot)) }
        driver.frame(.sessionLeave(SessionLeave()), slot: Slot(1))
        var pages: [PartList] = []
        while waiting > 0 {
            let actions = Self.write(waiting, &driver)
            #expect(Self.pages(actions, slot: 1) == [])
            pages += Self.pages(actions, slot: 2)
            waiting = Self.reported(actions)
        }
        #expect(pages.last?.isLast == true)
        driver.frame(.sessionLeave(SessionLeave()), slot: Slot(2))
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        #expect(Self.write(1_000, &driver) == [])
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0)
    }

    @Test func pageWaitsForRoomInTheBudget() throws {
        var driver = Self.driver(budget: 4 << 20)
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        // Another device announces lists until the budget has no room for a further page.
        let other = driver.newConnection()
        driver.connect(other, of: GatewayDriver.otherDevice)
        var slot: UInt16 = 0
        for count in [2_000, 100] as [UInt32] {
            var isTaken = true
            while isTaken {
                slot += 1
                let query = ResumeQuery(listedParts: count, token: Self.otherToken())
                isTaken = frames(driver.frame(.resumeQuery(query), slot: Slot(slot), from: other)).isEmpty
            }
        }
        let told = frames(try Self.resume(&driver, slot: 1))
        #expect(told.contains { if case .resumeState = $0 { true } else { false } })
        #expect(!told.contains { if case .partList = $0 { true } else { false } })
        var actions = driver.change { $0.connectionLost(other, now: $1) }
        var pages = Self.pages(actions)
        #expect(!pages.isEmpty)
        while Self.reported(actions) > 0 {
            actions = Self.write(Self.reported(actions), &driver)
            pages += Self.pages(actions)
        }
        #expect(pages.last?.isLast == true)
        #expect(pages.reduce(0) { $0 + $1.entries.count } == Int(Self.partCount))
    }

    private static func otherToken() -> [UInt8] {
        let terms = SessionTerms(
            key: "other/file", size: size, partBytes: 1_000, modification: GatewayDriver.modification,
            condition: .absent)
        let token = SessionToken(
            device: GatewayDriver.otherDevice.name, session: SessionID(high: 3, low: 3), terms: terms,
            issuedMilliseconds: 0, upload: "upload-3")
        return token.encoded.flatMap { ToyCryptography().seal(token: $0) } ?? []
    }
}
