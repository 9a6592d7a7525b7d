import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A part or a list that holds memory must make progress in every window, but only while it waits for the agent.
@Suite struct ProgressTests {
    private static let first = GatewayDriver.connection
    private static let window = Duration.seconds(60)

    private func evictedOrDeferred(_ actions: [GatewayAction]) -> [ErrorCode] {
        actions.compactMap { action in
            guard case .send(_, _, let frame) = action else { return nil }
            switch frame {
            case .error(let report): return report.code
            case .sessionRefused(let refused): return refused.code
            default: return nil
            }
        }
    }

    private func passWindow(
        _ driver: inout GatewayDriver, connections: [ConnectionID] = [first],
        _ body: (inout GatewayDriver, Int) -> Void = { _, _ in }
    ) -> [ErrorCode] {
        var came: [GatewayAction] = []
        for step in 0..<4 {
            body(&driver, step)
            for id in connections { came += driver.frame(.pong(Pong(nonce: 1)), slot: .connection, from: id) }
            came += driver.tick(after: Self.window / 4)
        }
        return evictedOrDeferred(came)
    }

    private func refusalMessage(in actions: [GatewayAction]) -> String? {
        frames(actions).compactMap { frame in
            switch frame {
            case .sessionRefused(let refused): refused.message
            case .error(let report): report.message
            default: nil
            }
        }.first
    }

    /// Offers a part of 1,000 bytes in a slot of its own. The gateway grants a window of 600 bytes.
    private func offer(
        _ number: Int, _ driver: inout GatewayDriver, from id: ConnectionID = first
    ) throws {
        let session = SessionID(high: id.value, low: UInt64(number))
        let slot = Slot(UInt16(number))
        driver.openAbsent(
            GatewayDriver.open(size: 1_000, condition: .any, compares: false, session: session), slot: slot, from: id)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 1_000))), slot: slot, from: id)
    }

    @Test func unsentPartIsEvictedAndOfferedAgain() throws {
        var driver = try GatewayTableTests.driver(in: .openWithPart)
        let held = driver.machine.bytesReserved
        #expect(passWindow(&driver) == [])
        #expect(passWindow(&driver) == [.partInterrupted])
        #expect(driver.machine.bytesReserved < held && driver.machine.partsUnderWay == 0)
        // The session is still open.
        let again = driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        let isSent = again.contains {
            if case .send(_, _, .partDecision(let decision)) = $0, case .send = decision.decision {
                true
            } else {
                false
            }
        }
        #expect(isSent)
    }

    /// A single byte now and then is not enough progress, and neither is traffic that moves no part.
    @Test func aTrickleIsNotEnough() throws {
        var driver = try GatewayTableTests.driver(in: .openWithPart)
        var offset: UInt64 = 200
        var codes: [ErrorCode] = []
        for _ in 0..<2 {
            codes += passWindow(&driver) { driver, _ in
                driver.data(offset: offset, bytes: 1)
                driver.change { $0.heard(25, from: Self.first, now: $1) }
                offset += 1
            }
        }
        #expect(codes == [.partInterrupted])
    }

    /// The part receives 256 bytes a minute, the least that counts as progress, so the gateway keeps it.
    @Test func aSlowPartIsKept() throws {
        var driver = try GatewayTableTests.driver(in: .openWithPart)
        for window in 0..<3 {
            let codes = passWindow(&driver) { driver, step in
                driver.data(offset: 200 + UInt64(window * 4 + step) * 64, bytes: 64)
                if let flow = driver.flows.last {
                    driver.change { $0.consumed(200 + UInt64(window * 4 + step) * 64, flow: flow, now: $1) }
                }
            }
            #expect(codes == [])
        }
        #expect(driver.machine.partsUnderWay == 1)
    }

    /// The store gets a part of up to `heldPartBytesMax` as a whole. The gateway evicts such a part if no bytes of it
    /// arrive, even if other bytes arrive on its connection. If `heldPartBytesMax` is 0, the store gets no part as a
    /// whole, not even an empty one.
    @Test(arguments: [(0, []), (999, []), (1_000, [.partInterrupted])] as [(UInt64, [ErrorCode])])
    func silentPartThatTheStoreGetsAsAWholeIsEvicted(heldPartBytesMax: UInt64, codes: [ErrorCode]) throws {
        var driver = GatewayDriver { $0.heldPartBytesMax = heldPartBytesMax }
        driver.connect()
        try offer(1, &driver)
        for expected in [[], codes] {
            let found = passWindow(&driver) { driver, _ in
                driver.change { $0.heard(256, from: Self.first, now: $1) }
            }
            #expect(found == expected)
        }
    }

    /// An empty file waits for nothing but COMPLETE. Meanwhile it occupies a place among the requests to the store only
    /// if the store gets parts as a whole. Only then the gateway evicts it.
    @Test(arguments: [(0, []), (1, [.partInterrupted])] as [(UInt64, [ErrorCode])])
    func emptyPartIsEvictedOnlyIfTheStoreGetsPartsAsAWhole(heldPartBytesMax: UInt64, codes: [ErrorCode]) throws {
        var driver = GatewayDriver { $0.heldPartBytesMax = heldPartBytesMax }
        driver.connect()
        driver.openAbsent(GatewayDriver.open(size: 0, condition: .any, compares: false))
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 0))))
        for expected in [[], codes] {
            let found = passWindow(&driver) { driver, _ in
                driver.change { $0.heard(256, from: Self.first, now: $1) }
            }
            #expect(found == expected)
        }
    }

    /// On a slow link the parts of a connection take turns, and one part may wait longer than a window for its turn.
    @Test func aPartThatWaitsForItsTurnIsKept() throws {
        var driver = GatewayDriver()
        driver.connect()
        for number in 1...4 { try offer(number, &driver) }
        #expect(passWindow(&driver) == [])
        for number in 1...2 {
            // In this window only one part receives data. The amount would be enough for all four parts together.
            let codes = passWindow(&driver) { driver, step in
                driver.data(offset: UInt64(step) * 100, bytes: 100, slot: Slot(UInt16(number)))
                driver.change { $0.heard(4 * 256 / 4, from: Self.first, now: $1) }
            }
            #expect(codes == [])
        }
        // In this window no part receives data, so the gateway interrupts all four.
        #expect(passWindow(&driver) == Array(repeating: .partInterrupted, count: 4))
    }

    /// A part that waits for the store is not late, however long that takes. Its progress window begins when the
    /// gateway grants the agent more credit.
    @Test func aPartThatWaitsForTheStoreIsKept() throws {
        var driver = try GatewayTableTests.driver(in: .openWithPart)
        for offset in [200, 400] as [UInt64] { driver.data(offset: offset, bytes: 200) }
        for _ in 0..<5 { #expect(passWindow(&driver) == []) }
        let flow = try #require(driver.flows.last)
        driver.frame(.pong(Pong(nonce: 1)), slot: .connection)
        driver.tick(after: Self.window - .seconds(1))
        driver.frame(.pong(Pong(nonce: 1)), slot: .connection)
        driver.change { $0.consumed(600, flow: flow, now: $1) }
        #expect(evictedOrDeferred(driver.tick(after: .seconds(1))) == [])
        #expect(passWindow(&driver) == [.partInterrupted])
    }

    @Test func aWholePartThatTheStoreIsWritingIsKept() throws {
        for state in [.openWithWholePart, .onePartReleased] as [GatewayTableTests.State] {
            var driver = try GatewayTableTests.driver(in: state)
            for _ in 0..<5 { #expect(passWindow(&driver) == [], "\(state)") }
            #expect(driver.machine.partsUnderWay == 1)
        }
    }

    @Test func aOnePartFileThatIsNotCompletedIsEvicted() throws {
        var driver = try GatewayTableTests.driver(in: .onePartHeld)
        #expect(passWindow(&driver) + passWindow(&driver) == [.partInterrupted])
        #expect(driver.machine.partsUnderWay == 0)
    }

    @Test(arguments: [GatewayTableTests.State.openingWithPart, .openingWithWholePartAndComplete, .lookingUp])
    func undecidedPartIsKept(state: GatewayTableTests.State) throws {
        var driver = try GatewayTableTests.driver(in: state)
        let parts = driver.machine.partsUnderWay
        for _ in 0..<5 { #expect(passWindow(&driver) == []) }
        #expect(driver.machine.partsUnderWay == parts)
    }

    // MARK: Lists

    @Test func missingListIsGivenUp() throws {
        var driver = try GatewayTableTests.driver(in: .listing)
        let held = driver.machine.bytesReserved
        #expect(passWindow(&driver) == [])
        #expect(passWindow(&driver) == [.busy])
        #expect(driver.machine.slotsInUse == 0 && driver.machine.bytesReserved < held)
    }

    @Test func listWithoutCompleteIsGivenUp() throws {
        var driver = try GatewayTableTests.driver(in: .open)
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        #expect(passWindow(&driver) + passWindow(&driver) == [.busy])
        #expect(driver.machine.slotsInUse == 0)
    }

    /// The agent may need longer than one window to send a page of the part list. Every byte that arrives counts as
    /// progress.
    @Test func aListThatComesSlowlyIsKept() throws {
        var driver = try GatewayTableTests.driver(in: .listing)
        for _ in 0..<5 {
            let codes = passWindow(&driver) { driver, _ in
                driver.change { $0.heard(64, from: Self.first, now: $1) }
            }
            #expect(codes == [])
        }
        #expect(driver.machine.slotsInUse == 1)
    }

    @Test func aListThatIsBeingCompletedIsKept() throws {
        var driver = try GatewayTableTests.driver(in: .comparing)
        for _ in 0..<5 { #expect(passWindow(&driver) == []) }
        #expect(driver.machine.slotsInUse == 1)
    }

    /// The gateway interrupts an idle slot although memory is not short. The message to the agent therefore names what
    /// the gateway has waited for, and does not mention memory.
    @Test(arguments: [GatewayTableTests.State.listing, .open])
    func messageNamesTheMissingList(state: GatewayTableTests.State) throws {
        var driver = try GatewayTableTests.driver(in: state)
        if state == .open {
            driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        }
        var came: [GatewayAction] = []
        for _ in 0..<8 {
            came += driver.frame(.pong(Pong(nonce: 1)), slot: .connection, from: Self.first)
            came += driver.tick(after: Self.window / 4)
        }
        let message = try #require(refusalMessage(in: came))
        #expect(message.hasSuffix("did not come in time"), "\(message)")
    }

    // MARK: Slow parts

    /// Two devices: one holds many slow parts, the other holds one slow part.
    private func crowded(slowParts: Int) throws -> GatewayDriver {
        var driver = GatewayDriver {
            $0.initialCreditBytes = 0
            // Parts may take 6,000 bytes, and those of one device 5,400.
            $0.budgetBytes = 8_000
            $0.budgetBytesPerDevice = 7_200
        }
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        driver.connect()
        let other = driver.newConnection()
        driver.change { $0.accepted(other, now: $1) }
        driver.frame(.hello(GatewayDriver.hello(of: GatewayDriver.otherDevice)), slot: .connection, from: other)
        for number in 1...slowParts { try offer(number, &driver) }
        try offer(1, &driver, from: other)
        _ = passWindow(&driver, connections: [Self.first, other])
        let codes = passWindow(&driver, connections: [Self.first, other]) { driver, step in
            for number in 1...slowParts {
                driver.data(offset: UInt64(step) * 70, bytes: 70, slot: Slot(UInt16(number)))
            }
            driver.data(offset: UInt64(step) * 70, bytes: 70, slot: Slot(1), from: other)
            for id in [Self.first, other] { driver.change { $0.heard(10_000, from: id, now: $1) } }
        }
        #expect(codes == [])
        return driver
    }

    @Test func slowPartsAboveTheirShareAreEvicted() throws {
        var driver = try crowded(slowParts: 8)
        let other = ConnectionID(2)
        // 5,400 of 6,000 bytes are reserved: one more part fits, and the gateway defers the next.
        try offer(2, &driver, from: other)
        #expect(driver.machine.bytesReserved == 6_000)
        let before = driver.machine.partsUnderWay
        let session = SessionID(high: 2, low: 3)
        let open = GatewayDriver.open(size: 1_000, condition: .any, compares: false, session: session)
        driver.openAbsent(open, slot: Slot(3), from: other)
        let offer = Frame.partOffer(try #require(GatewayDriver.offer(1, of: 1_000)))
        let deferred = driver.frame(offer, slot: Slot(3), from: other)
        // The new offer finds the budget full. The gateway evicts one part of the device with the most reserved memory,
        // and defers the offer.
        let owners = deferred.compactMap { action -> ConnectionID? in
            if case .send(let id, _, .error(let report)) = action, report.code == .partInterrupted { id } else { nil }
        }
        #expect(owners == [Self.first])
        #expect(driver.machine.partsUnderWay == before - 1)
        driver.frame(offer, slot: Slot(3), from: other)
        #expect(driver.machine.partsUnderWay == before)
        // However often the offer is repeated, the gateway evicts slow parts only until they hold 3,000 of 6,000 bytes:
        // 5 of 9 remain.
        for _ in 0..<20 { driver.frame(offer, slot: Slot(3), from: other) }
        var interrupted = 1
        for number in 4...20 {
            let open = GatewayDriver.open(
                size: 1_000, condition: .any, compares: false, session: SessionID(high: 2, low: UInt64(number)))
            driver.openAbsent(open, slot: Slot(UInt16(number)), from: other)
            for _ in 0..<2 {
                interrupted += evictedOrDeferred(driver.frame(offer, slot: Slot(UInt16(number)), from: other)).count
            }
        }
        #expect(interrupted == 4)
    }

    @Test func slowPartsWithinTheirShareAreKept() throws {
        var driver = try crowded(slowParts: 4)
        for number in 5...20 { try offer(number, &driver) }
        #expect(driver.machine.partsUnderWay == 10)
    }

    @Test func aDevicesOnlyPartIsKept() throws {
        var driver = GatewayDriver {
            $0.initialCreditBytes = 0
            // Parts may take 1,200 bytes.
            $0.budgetBytes = 1_600
            $0.budgetBytesPerDevice = 1_600
        }
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        driver.connect()
        let other = driver.newConnection()
        driver.change { $0.accepted(other, now: $1) }
        driver.frame(.hello(GatewayDriver.hello(of: GatewayDriver.otherDevice)), slot: .connection, from: other)
        try offer(1, &driver)
        try offer(1, &driver, from: other)
        for window in 0..<2 {
            let codes = passWindow(&driver, connections: [Self.first, other]) { driver, step in
                for id in [Self.first, other] {
                    driver.data(offset: UInt64(window * 4 + step) * 70, bytes: 70, from: id)
                    driver.change { $0.heard(10_000, from: id, now: $1) }
                }
            }
            #expect(codes == [])
            try offer(window + 2, &driver)
        }
        #expect(driver.machine.partsUnderWay == 2)
    }

    // MARK: With an agent

    /// At 2 KB/s not every file can make progress in each window. The gateway evicts nothing all the same, because the
    /// connection as a whole makes progress.
    @Test func aSlowLinkIsNotPunished() {
        var options = PairOptions()
        options.linkBytesPerSecond = 2_000
        options.gatewayLimits.parts.partBytesDefault = 40_000
        options.gatewayLimits.windowBytes = 20_000
        options.gatewayLimits.chunkBytesMax = 4_000
        options.gatewayLimits.budgetBytes = 4_000_000
        options.gatewayLimits.budgetBytesPerDevice = 4_000_000
        options.gatewayLimits.progressWindow = .seconds(5)
        options.agentLimits.concurrency = 16
        let pair = Pair(options)
        let uploads = (0..<16).map { pair.push(bytes: 40_000, key: "file-\($0)") }
        pair.run(stepsMax: 400_000)
        for upload in uploads { pair.checkStored(upload) }
        let wasEvicted = pair.gateways.flatMap(\.notes).contains { if case .partEvicted = $0 { true } else { false } }
        #expect(!wasEvicted)
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test func anAgentOffersAnEvictedPartAgain() throws {
        var driver = AgentTableTests.driver(in: .sendingDecided)
        let part = try #require(PartNumber(1))
        driver.frame(
            .error(
                ErrorReport(scope: .part(part), code: .partInterrupted, retryAfterMilliseconds: 200, message: "")))
        while !driver.chunks.isEmpty { driver.chunkSent() }
        let again = driver.tick(after: .seconds(2))
        #expect(
            again.contains { if case .send(_, _, .partOffer(let offer)) = $0 { offer.part == part } else { false } })
    }
}
