import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct StoreCallsInGatewayTests {
    private static func token(_ number: UInt64, key: String, of device: AuthorisedDevice) -> [UInt8] {
        let token = SessionToken(
            device: device.name, session: SessionID(high: number, low: 7), terms: GatewayDriver.terms(key: key),
            issuedMilliseconds: 0, upload: "upload-\(number)")
        return token.encoded.flatMap { ToyCryptography().seal(token: $0) } ?? []
    }

    private static func resume(
        _ number: UInt64, slot: UInt16, from id: ConnectionID, of device: AuthorisedDevice,
        _ driver: inout GatewayDriver
    ) {
        let token = token(number, key: device.prefix + "f\(number)", of: device)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), slot: Slot(slot), from: id)
    }

    private static func keys(_ actions: [GatewayAction]) -> [String] {
        actions.compactMap { action in
            if case .store(_, .listParts(let key, _)) = action { key } else { nil }
        }
    }

    /// After a restart of the site, all 16,384 sessions of one device resume at once. The list of another device waits
    /// for no more than 16 of them. When the connections end, no call is left that waits.
    @Test func honestListIsAmongTheNextToBegin() {
        let count = 16_384
        var driver = GatewayDriver {
            $0.budgetBytes = 64 << 20
            $0.budgetBytesPerDevice = 48 << 20
            $0.sessionsMax = count + 1
            $0.sessionsPerDeviceMax = count
            $0.connectionsPerDeviceMax = 16
            $0.slotsMax = 1_024
            $0.fruitlessBeginningsAtOnce = UInt64(count)
        }
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        var number: UInt64 = 0
        for _ in 0..<16 {
            let id = driver.newConnection()
            driver.connect(id)
            for slot in 1...1_024 as ClosedRange<UInt16> {
                number += 1
                Self.resume(number, slot: slot, from: id, of: GatewayDriver.device, &driver)
            }
        }
        #expect(driver.requests.count == driver.machine.limits.calls.lists)
        #expect(driver.machine.requestsUnderWay == count)
        let honest = driver.newConnection()
        driver.connect(honest, run: 2, of: GatewayDriver.otherDevice)
        Self.resume(number + 1, slot: 1, from: honest, of: GatewayDriver.otherDevice, &driver)
        var begun: [String] = []
        while begun.count < 16 { begun += Self.keys(driver.answer(.parts([]))) }
        #expect(begun.contains { $0.hasPrefix(GatewayDriver.otherDevice.prefix) })
        #expect(driver.requests.count == driver.machine.limits.calls.lists)

        for id in 2...18 as ClosedRange<UInt64> {
            driver.change { $0.connectionLost(ConnectionID(id), now: $1) }
        }
        #expect(driver.machine.requestsUnderWay == driver.requests.count, "no call waits for a session without a slot")
        driver.comeToRest()
        #expect(driver.machine.requestsUnderWay == 0 && driver.machine.sessionCount == 0)
    }

    /// When the agent leaves a slot, the gateway drops the slot's list if the call has not begun. A call that has begun
    /// continues, and its answer lets the next call begin.
    @Test func waitingCallLeavesWithItsSlot() {
        var driver = GatewayDriver { $0.calls.lists = 1 }
        driver.connect()
        for slot in 1...3 as ClosedRange<UInt16> {
            Self.resume(UInt64(slot), slot: slot, from: GatewayDriver.connection, of: GatewayDriver.device, &driver)
        }
        #expect(driver.requests.count == 1 && driver.machine.requestsUnderWay == 3)
        driver.frame(.sessionLeave(SessionLeave()), slot: Slot(2))
        driver.frame(.sessionLeave(SessionLeave()), slot: Slot(1))
        #expect(driver.machine.requestsUnderWay == 2 && driver.machine.sessionCount == 2)
        #expect(Self.keys(driver.answer(.parts([]))) == ["site/f3"])
    }

    @Test func abortTakesThePlaceOfAWaitingCall() {
        var driver = GatewayDriver { $0.calls.lists = 1 }
        driver.connect()
        for slot in 1...2 as ClosedRange<UInt16> {
            Self.resume(UInt64(slot), slot: slot, from: GatewayDriver.connection, of: GatewayDriver.device, &driver)
        }
        let token = Self.token(2, key: "site/f2", of: GatewayDriver.device)
        driver.frame(.abort(Abort(token: token)), slot: Slot(3))
        #expect(driver.requests.map(\.request.kind) == [.listParts, .abort])
        #expect(driver.machine.requestsUnderWay == 2)
    }

    @Test func waitingLookLeavesWithItsProve() {
        var driver = GatewayDriver { $0.calls.lookUps = 1 }
        driver.connect()
        for slot in 1...2 as ClosedRange<UInt16> { driver.prove(key: "f\(slot)", slot: Slot(slot)) }
        #expect(driver.requests.count == 1 && driver.machine.requestsUnderWay == 2)
        let told = driver.frame(.sessionLeave(SessionLeave()), slot: Slot(2))
        #expect(!told.contains { if case .cancel = $0 { true } else { false } }, "the call has not begun")
        #expect(driver.machine.requestsUnderWay == 1)
        let cancelled = driver.frame(.sessionLeave(SessionLeave()), slot: Slot(1))
        #expect(cancelled.contains(.cancel(driver.requests[0].id)))
    }

    /// The slot of a session is lost after its record was written. The session still creates its upload and writes the
    /// upload's id into the record, so that the cleaner can find the upload.
    @Test func sessionThatHasWrittenGoesOn() {
        var driver = GatewayDriver { $0.calls.records = 1 }
        driver.connect()
        let open = SessionOpen(
            session: GatewayDriver.session, terms: GatewayDriver.terms(key: "file"), compares: true)
        driver.frame(.sessionOpen(open))
        for answer in [.object(nil), .records([]), .done] as [StoreAnswer] { driver.answer(answer) }
        #expect(driver.requests.map(\.request.kind) == [.createUpload])
        let other = SessionOpen(
            session: SessionID(high: 3, low: 3), terms: GatewayDriver.terms(key: "other"), compares: true)
        driver.frame(.sessionOpen(other), slot: Slot(2))
        driver.requests.swapAt(0, 1)
        driver.answer(.object(nil))
        #expect(driver.requests.count == 1 && driver.machine.requestsUnderWay == 2)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        #expect(driver.machine.requestsUnderWay == 1 && driver.machine.sessionCount == 1)
        driver.answer(.uploadCreated(upload: "upload-1"))
        #expect(driver.requests.map(\.request.kind) == [.writeRecord])
    }

    @Test func nothingBeginsAtTheEndOfTheProcess() {
        var driver = GatewayDriver { $0.calls.lists = 1 }
        driver.connect()
        for slot in 1...2 as ClosedRange<UInt16> {
            Self.resume(UInt64(slot), slot: slot, from: GatewayDriver.connection, of: GatewayDriver.device, &driver)
        }
        driver.change { machine, now in machine.handle(.finish, now: now) }
        #expect(Self.keys(driver.answer(.parts([]))) == [])
        #expect(driver.requests.isEmpty)
    }
}
