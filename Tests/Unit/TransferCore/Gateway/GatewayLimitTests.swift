import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// One test for each limit of the gateway.
@Suite struct GatewayLimitTests {
    private static let slot = GatewayDriver.slot

    private func codes(_ actions: [GatewayAction]) -> [ErrorCode] {
        actions.compactMap { action in
            guard case .send(_, _, let frame) = action else { return nil }
            switch frame {
            case .error(let report): return report.code
            case .sessionRefused(let refused): return refused.code
            case .partDecision(let decision):
                if case .later(let code, _) = decision.decision { return code }
                return nil
            default: return nil
            }
        }
    }

    private func session(_ number: Int) -> SessionID { SessionID(high: 7, low: UInt64(number)) }

    /// Opens a session in a slot. `number` determines both the session's id and the slot.
    @discardableResult
    private func open(
        _ number: Int, _ driver: inout GatewayDriver, size: UInt64 = 400,
        from id: ConnectionID = GatewayDriver.connection
    ) -> [GatewayAction] {
        driver.openAbsent(
            GatewayDriver.open(size: size, condition: .any, compares: false, session: session(number)),
            slot: Slot(UInt16(number)), from: id)
    }

    // MARK: Connections

    @Test func aConnectionWithoutHelloIsEnded() {
        var driver = GatewayDriver()
        driver.change { $0.accepted(GatewayDriver.connection, now: $1) }
        #expect(driver.tick(after: driver.machine.limits.helloLimit - .milliseconds(1)) == [])
        #expect(codes(driver.tick(after: .milliseconds(1))) == [.idle])
        #expect(driver.machine.connectionCount == 0)
    }

    @Test func aSilentConnectionIsAskedAndThenEnded() {
        var driver = GatewayDriver()
        driver.connect()
        let limit = driver.machine.limits.idleLimit
        let asked = driver.tick(after: limit / 3)
        #expect(asked.contains { if case .send(_, _, .ping) = $0 { true } else { false } })
        driver.tick(after: limit / 3)
        #expect(codes(driver.tick(after: limit / 3)) == [.idle])
    }

    /// Any bytes keep a connection alive, such as the pieces of a long frame on a slow link.
    @Test func anyBytesKeepTheConnectionAlive() {
        var driver = GatewayDriver()
        driver.connect()
        for _ in 0..<10 {
            driver.change { $0.heard(1, from: GatewayDriver.connection, now: $1) }
            #expect(codes(driver.tick(after: driver.machine.limits.idleLimit - .seconds(1))) == [])
        }
    }

    @Test func connectionsBeyondTheLimitAreRefused() {
        var driver = GatewayDriver {
            $0.connectionsMax = 3
            $0.connectionsPerDeviceMax = 2
            $0.unauthenticatedPeersMax = 1
        }
        driver.connect()
        #expect(codes(driver.connect(driver.newConnection())) == [])
        #expect(codes(driver.connect(driver.newConnection())) == [.tooManyConnections])
        for id in [100, 101] as [UInt64] {
            #expect(codes(driver.change { $0.accepted(ConnectionID(id), now: $1) }) == [])
        }
        #expect(codes(driver.change { $0.accepted(ConnectionID(102), now: $1) }) == [.tooManyConnections])
    }

    /// The gateway has as many connections as it may have. Some of them are connections of a device whose network was
    /// cut. When this device connects with a newer run, the gateway fences them and admits the new connection.
    @Test func fullGatewayFencesTheConnectionsOfAnEarlierRun() {
        var driver = GatewayDriver { $0.connectionsMax = 2 }
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        driver.connect()
        let old = driver.newConnection()
        driver.connect(old)
        #expect(
            codes(driver.connect(driver.newConnection(), run: 3, of: GatewayDriver.otherDevice))
                == [.tooManyConnections])
        #expect(codes(driver.connect(driver.newConnection(), run: 2)) == [.fenced, .fenced])
        #expect(codes(driver.connect(driver.newConnection(), run: 3, of: GatewayDriver.otherDevice)) == [])
        #expect(driver.machine.connectionCount == 2)
    }

    // MARK: Sessions

    @Test(arguments: [true, false])
    func sessionsBeyondTheLimitAreRefused(isOfDevice: Bool) {
        var driver = GatewayDriver {
            if isOfDevice { $0.sessionsPerDeviceMax = 2 } else { $0.sessionsMax = 2 }
        }
        driver.connect()
        for number in 1...2 { #expect(codes(open(number, &driver)) == []) }
        #expect(codes(open(3, &driver)) == [.busy])
    }

    // MARK: A device's own limits

    private static func limited(_ limits: DeviceLimits) -> AuthorisedDevice {
        var device = GatewayDriver.otherDevice
        device.limits = limits
        return device
    }

    @Test(arguments: [1, 3])
    func deviceHasItsOwnConnectionLimit(count: Int) {
        var driver = GatewayDriver { $0.connectionsPerDeviceMax = 2 }
        let device = Self.limited(DeviceLimits(connectionsMax: count))
        driver.change { $0.devicesChanged([GatewayDriver.device, device], now: $1) }
        for _ in 1...count { #expect(codes(driver.connect(driver.newConnection(), of: device)) == []) }
        #expect(codes(driver.connect(driver.newConnection(), of: device)) == [.tooManyConnections])
        for _ in 1...2 { #expect(codes(driver.connect(driver.newConnection())) == []) }
        #expect(codes(driver.connect(driver.newConnection())) == [.tooManyConnections])
    }

    @Test(arguments: [1, 3])
    func deviceHasItsOwnSessionLimit(count: Int) {
        var driver = GatewayDriver { $0.sessionsPerDeviceMax = 2 }
        let device = Self.limited(DeviceLimits(sessionsMax: count))
        driver.change { $0.devicesChanged([device], now: $1) }
        driver.connect(of: device)
        for number in 1...count { #expect(codes(open(number, &driver)) == []) }
        #expect(codes(open(count + 1, &driver)) == [.busy])
    }

    /// WELCOME announces a credit and a number of parts that fit in the device's own budget.
    @Test func aDeviceHasItsOwnBudget() throws {
        var driver = GatewayDriver {
            $0.budgetBytes = 64_000
            $0.budgetBytesPerDevice = 48_000
            $0.windowBytes = 20_000
            $0.initialCreditBytes = 20_000
        }
        let device = Self.limited(DeviceLimits(budgetBytes: 8_000))
        driver.change { $0.devicesChanged([GatewayDriver.device, device], now: $1) }
        let other = driver.newConnection()
        let welcomes = (driver.connect(of: device) + driver.connect(other)).compactMap { action -> Welcome? in
            if case .send(_, _, .welcome(let welcome)) = action { welcome } else { nil }
        }
        #expect(welcomes.map(\.initialCreditBytes) == [3_000, 18_000])
        // A part list takes 192 bytes for each part, and at most a quarter of the device's budget.
        #expect(welcomes.map(\.partsMax) == [10, 62])
        #expect(driver.machine.use(of: device.fingerprint).bytesReserved == 3_000)
        // Both connections offer the same parts. Only the device that has used up its own budget has to wait.
        var put: [ConnectionID: [ErrorCode]] = [:]
        for number in 1...5 {
            for id in [GatewayDriver.connection, other] {
                let number = number + (id == other ? 5 : 0)
                open(number, &driver, size: 1_000, from: id)
                let offer = try #require(GatewayDriver.offer(1, of: 1_000))
                let answered = driver.frame(.partOffer(offer), slot: Slot(UInt16(number)), from: id)
                put[id, default: []] += codes(answered)
            }
        }
        #expect(put == [GatewayDriver.connection: [.busy, .busy], other: []])
        #expect(driver.machine.use(of: device.fingerprint).bytesReserved == 6_000)
    }

    @Test func changedLimitsEndTheConnections() {
        var driver = GatewayDriver()
        driver.change { $0.devicesChanged([Self.limited(DeviceLimits())], now: $1) }
        driver.connect(of: GatewayDriver.otherDevice)
        let ended = driver.change { $0.devicesChanged([Self.limited(DeviceLimits(sessionsMax: 1))], now: $1) }
        #expect(codes(ended) == [.draining])
        #expect(driver.machine.use(of: GatewayDriver.otherDevice.fingerprint).connections == 0)
    }

    @Test func slotsBeyondTheLimitEndTheConnection() {
        var driver = GatewayDriver { $0.slotsMax = 2 }
        driver.connect()
        #expect(codes(open(2, &driver)) == [])
        let report = ErrorReport(scope: .session, code: .internal, retryAfterMilliseconds: 0, message: "m")
        #expect(driver.frame(.error(report), slot: Slot(3)).isEmpty, "an ERROR is never answered with one")
        #expect(codes(open(3, &driver)) == [.badSlot])
    }

    @Test func aSessionWithoutAConnectionIsForgotten() {
        var driver = GatewayDriver()
        driver.connect()
        open(1, &driver)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        driver.tick(after: driver.machine.limits.sessionGrace - .milliseconds(1))
        #expect(driver.machine.sessionCount == 1)
        driver.tick(after: .milliseconds(1))
        #expect(driver.machine.sessionCount == 0)
    }

    // MARK: Rates

    /// A device that opens sessions and drops them again may open only a few at once and a few per second. Beyond that
    /// the gateway refuses without a request to the store.
    @Test(arguments: ["open and leave", "resume and leave", "abort"])
    func fruitlessOpeningsAreLimited(what: String) {
        var driver = GatewayDriver {
            $0.fruitlessBeginningsAtOnce = 5
            $0.fruitlessBeginningsPerSecond = 2
        }
        driver.connect()
        func begin() -> [GatewayAction] {
            let frame: Frame =
                switch what {
                case "abort": .abort(Abort(token: GatewayDriver.token()))
                case "resume and leave": .resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token()))
                default: .sessionOpen(GatewayDriver.open(size: 400, condition: .any, compares: false))
                }
            let came = driver.frame(frame)
            while !driver.requests.isEmpty { driver.answer(.failed(.uploadUnknown)) }
            driver.frame(.sessionLeave(SessionLeave()))
            return came
        }
        for _ in 0..<5 { #expect(codes(begin()) == []) }
        let refused = begin()
        #expect(codes(refused) == [.busy])
        guard case .send(_, _, .sessionRefused(let refusal)) = refused.first else { return }
        #expect(refusal.retryAfterMilliseconds == 500)
        driver.tick(after: .milliseconds(499))
        #expect(codes(begin()) == [.busy])
        driver.tick(after: .milliseconds(1))
        #expect(codes(begin()) == [])
        #expect(codes(begin()) == [.busy])
    }

    @Test func reconnectingDoesNotRaiseTheLimit() {
        var driver = GatewayDriver {
            $0.fruitlessBeginningsAtOnce = 1
            $0.fruitlessBeginningsPerSecond = 1
        }
        driver.connect()
        #expect(codes(open(1, &driver)) == [])
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        let next = driver.newConnection()
        driver.connect(next)
        let again = driver.frame(
            .sessionOpen(GatewayDriver.open(size: 400, condition: .any, compares: false)), from: next)
        #expect(codes(again) == [.busy])
    }

    @Test(arguments: ["completed", "exists", "taken"])
    func openingThatShowsAnObjectDoesNotCount(how: String) {
        var driver = GatewayDriver {
            $0.fruitlessBeginningsAtOnce = 2
            $0.fruitlessBeginningsPerSecond = 1
        }
        driver.connect()
        for number in 1...50 {
            let came = driver.frame(
                .sessionOpen(
                    GatewayDriver.open(size: 400, compares: how != "taken", session: session(number))))
            #expect(!codes(came).contains(.busy))
            let object = GatewayDriver.object(size: 400, session: how == "completed" ? session(number) : nil)
            #expect(driver.answer(.object(object)).contains { if case .send = $0 { true } else { false } })
            while !driver.requests.isEmpty { driver.answer(.done) }
        }
    }

    /// The gateway pauses reading from a peer that sends too many frames. The pauses are long enough that the peer
    /// sends no more than the configured rate.
    @Test func frameRateIsLimited() throws {
        var driver = GatewayDriver {
            $0.framesAtOnce = 10
            $0.framesPerSecond = 100
            $0.framePause = .milliseconds(50)
        }
        driver.connect()
        let id = GatewayDriver.connection
        let start = driver.now
        var frames = 0
        while frames < 1_000 {
            frames += 1
            var pause: Duration?
            driver.change { pause = $0.pauseAfterFrame(from: id, now: $1) }
            if frames <= 10 { #expect(pause == nil) }
            guard let pause else { continue }
            #expect(pause >= .milliseconds(50))
            driver.tick(after: pause)
        }
        #expect(driver.now.since(start) >= .milliseconds(9_800) && driver.now.since(start) < .milliseconds(10_100))
        // An unauthenticated peer may send only one frame, so the gateway never pauses for it.
        driver.change { #expect($0.pauseAfterFrame(from: ConnectionID(99), now: $1) == nil) }
    }

    // MARK: Memory

    @Test func aChunkBeyondTheLimitEndsTheConnection() throws {
        var driver = try GatewayTableTests.driver(in: .openWithPart)
        #expect(driver.data(offset: 200, bytes: 256) == .accept(try #require(driver.flows.last), skip: 0))
        #expect(driver.data(offset: 456, bytes: 257) == .violation)
    }

    @Test func dataBeyondTheInitialCreditEndsTheConnection() throws {
        var driver = try GatewayTableTests.driver(in: .openingWithPart)
        #expect(driver.data(offset: 200, bytes: 256) != .violation)
        // The gateway has granted 500 bytes, so byte 501 is a violation.
        #expect(driver.data(offset: 456, bytes: 45) == .violation)
    }

    @Test func dataBeyondTheWindowEndsTheConnection() throws {
        var driver = try GatewayTableTests.driver(in: .openWithPart)
        for offset in [200, 400] as [UInt64] { #expect(driver.data(offset: offset, bytes: 200) != .violation) }
        // The gateway has granted 600 bytes, so a byte beyond them is a violation.
        #expect(driver.data(offset: 600, bytes: 1) == .violation)
    }

    /// Three quarters of a device's budget hold three parts of 600 bytes, and those of the gateway's budget hold four.
    @Test func partsBeyondTheBudgetsAreDeferred() throws {
        var driver = GatewayDriver {
            $0.initialCreditBytes = 0
            $0.budgetBytes = 3_334
            $0.budgetBytesPerDevice = 2_667
        }
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        driver.connect()
        let other = driver.newConnection()
        driver.change { $0.accepted(other, now: $1) }
        driver.frame(.hello(GatewayDriver.hello(of: GatewayDriver.otherDevice)), slot: .connection, from: other)
        let offer = Frame.partOffer(try #require(GatewayDriver.offer(1, of: 1_000)))
        for number in 1...4 {
            open(number, &driver, size: 1_000)
            #expect(codes(driver.frame(offer, slot: Slot(UInt16(number)))) == (number <= 3 ? [] : [.busy]))
        }
        for number in 5...6 {
            let opening = GatewayDriver.open(size: 1_000, condition: .any, compares: false, session: session(number))
            driver.openAbsent(opening, slot: Slot(UInt16(number)), from: other)
            let decided = driver.frame(offer, slot: Slot(UInt16(number)), from: other)
            #expect(codes(decided) == (number == 5 ? [] : [.busy]))
        }
    }

    @Test func partsOfASessionBeyondTheLimitAreDeferred() throws {
        var driver = try GatewayTableTests.driver(in: .open, change: { $0.partsPerSessionMax = 2 })
        for part in 1...3 as ClosedRange<UInt32> {
            let offer = Frame.partOffer(try #require(GatewayDriver.offer(part, of: 2_500)))
            #expect(codes(driver.frame(offer)) == (part <= 2 ? [] : [.busy]))
        }
    }

    /// A part that awaits the gateway's decision reserves no memory for data, but takes a little memory itself. The
    /// gateway therefore limits the number of such parts.
    @Test func undecidedPartsBeyondTheLimitAreDeferred() throws {
        var driver = GatewayDriver { $0.undecidedPartsMax = 2 }
        driver.connect()
        let offer = Frame.partOffer(try #require(GatewayDriver.offer(1, of: 400)))
        for round in 1...2 {
            for number in 1...3 {
                let opening = GatewayDriver.open(size: 400, session: session(round * 10 + number))
                driver.frame(.sessionOpen(opening), slot: Slot(UInt16(number)))
                #expect(codes(driver.frame(offer, slot: Slot(UInt16(number)))) == [])
            }
            // The decisions follow SESSION OPENED. Parts that are decided or dropped no longer count towards the limit
            // of undecided parts.
            let answers = (1...3).map { _ in codes(driver.answer(.object(nil))) }
            #expect(answers == [[], [], [.busy]])
            for number in 1...3 { driver.frame(.sessionLeave(SessionLeave()), slot: Slot(UInt16(number))) }
            while !driver.requests.isEmpty { driver.answer(.object(nil)) }
        }
    }

    @Test func aPartWithoutAConnectionIsEvicted() throws {
        var driver = try GatewayTableTests.driver(in: .openWithPart)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        driver.tick(after: driver.machine.limits.partGrace - .milliseconds(1))
        #expect(driver.machine.partsUnderWay == 1)
        driver.tick(after: .milliseconds(1))
        // The session is remembered with the table of its three parts.
        #expect(driver.machine.partsUnderWay == 0 && driver.machine.bytesReserved == 3 * 64)
    }
}
