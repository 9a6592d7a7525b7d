import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The tables of stored parts of all sessions are part of the budget. `GatewayDriver` compares the owners of memory
/// with the reservations after each event.
@Suite struct SessionTableRoomTests {
    private static let partsMax: UInt32 = 10_000
    /// Memory of a table of 10,000 parts.
    private static let tableBytes: UInt64 = 640_000
    private static let honest = GatewayDriver.device
    private static let hostile = GatewayDriver.otherDevice

    private static func driver(
        _ change: (inout GatewayLimits) -> Void = {
            $0.budgetBytes = 64 << 20
            $0.budgetBytesPerDevice = 48 << 20
        }
    ) -> GatewayDriver {
        var driver = GatewayDriver {
            $0.initialCreditBytes = 0
            change(&$0)
        }
        driver.change { $0.devicesChanged([honest, hostile, third], now: $1) }
        return driver
    }

    private static let third = AuthorisedDevice(
        name: "device-3", fingerprint: ToyDigest.sha256([3, 3, 3]), prefix: "third/")

    private static func entries(_ count: UInt32 = partsMax) -> [PartListEntry] {
        (1...count).compactMap { value in
            PartNumber(value).map {
                PartListEntry(
                    part: $0, size: 1_000, digest: ToyDigest.sha256([1]), etag: "0123456789abcdef0123456789abcdef")
            }
        }
    }

    private static func connect(_ driver: inout GatewayDriver, of device: AuthorisedDevice) -> ConnectionID {
        let id = driver.newConnection()
        driver.connect(id, of: device)
        return id
    }

    private static func token(_ number: UInt64, of device: AuthorisedDevice, parts: UInt32 = partsMax) -> [UInt8] {
        let terms = SessionTerms(
            key: device.prefix + "file-\(number)", size: UInt64(parts) * 1_000, partBytes: 1_000,
            modification: GatewayDriver.modification, condition: .absent)
        let token = SessionToken(
            device: device.name, session: SessionID(high: number, low: UInt64(device.prefix.utf8.first ?? 0)),
            terms: terms,
            issuedMilliseconds: 0, upload: "upload-\(number)")
        return token.encoded.flatMap { ToyCryptography().seal(token: $0) } ?? []
    }

    /// Resumes a session of which the store has all parts.
    ///
    /// - Returns: everything that the gateway then sends, and to which connection.
    @discardableResult
    private static func resume(
        _ number: UInt64, of device: AuthorisedDevice, on id: ConnectionID, _ listing: [PartListEntry],
        _ driver: inout GatewayDriver
    ) -> [GatewayAction] {
        let query = ResumeQuery(
            listedParts: 0, token: token(number, of: device, parts: UInt32(listing.count)), asksForPartials: false)
        var actions = driver.frame(.resumeQuery(query), slot: Slot(UInt16(number)), from: id)
        while let index = driver.requests.firstIndex(where: { if case .listParts = $0.request { true } else { false } })
        {
            let request = driver.requests.remove(at: index)
            actions += driver.change {
                $0.handle(.storeAnswered(request.id, .parts(listing), wallMilliseconds: 0), now: $1)
            }
        }
        return actions
    }

    private static func isOpen(_ actions: [GatewayAction], to id: ConnectionID) -> Bool {
        frames(actions, to: id).contains { if case .resumeState = $0 { true } else { false } }
    }

    /// The codes of SESSION REFUSED and of ERROR on a connection.
    private static func codes(_ actions: [GatewayAction], to id: ConnectionID) -> [ErrorCode] {
        frames(actions, to: id).compactMap { frame in
            switch frame {
            case .sessionRefused(let refused): refused.code
            case .error(let report): report.code
            default: nil
            }
        }
    }

    /// One device resumes 64 sessions of 10,000 parts each. Its tables take at most half of what the device may hold,
    /// and the other sessions are refused for now. A session of another device is served beside them.
    @Test func deviceWithManyTablesLeavesRoomForOthers() throws {
        var driver = Self.driver()
        let listing = Self.entries()
        let id = Self.connect(&driver, of: Self.hostile)
        var opened = 0
        for number in 1...64 as ClosedRange<UInt64> {
            let told = Self.resume(number, of: Self.hostile, on: id, listing, &driver)
            if Self.isOpen(told, to: id) { opened += 1 } else { #expect(Self.codes(told, to: id) == [.busy]) }
        }
        #expect(opened == (24 << 20) / Int(Self.tableBytes))
        #expect(driver.machine.bytesReserved < 26 << 20)

        driver.connect()
        let honest = GatewayDriver.connection
        #expect(Self.isOpen(Self.resume(1, of: Self.honest, on: honest, listing, &driver), to: honest))
        let answered = driver.frame(
            .partOffer(
                PartOffer(
                    part: try #require(PartNumber(1)), size: 1_000, isLast: false, digest: ToyDigest.sha256([1]),
                    md5: nil)))
        #expect(
            frames(answered).contains {
                if case .partDecision(let decision) = $0, case .have = decision.decision { true } else { false }
            })
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0)
    }

    /// Two devices fill the memory of tables. Sessions of the device that holds more give way, until both hold the
    /// same. Then each waits, and a third device still gets its table.
    @Test func devicesShareTheMemoryOfTables() {
        var driver = Self.driver()
        let listing = Self.entries()
        let first = Self.connect(&driver, of: Self.hostile)
        for number in 1...39 as ClosedRange<UInt64> {
            Self.resume(number, of: Self.hostile, on: first, listing, &driver)
        }
        let second = Self.connect(&driver, of: Self.third)
        var interrupted: [ErrorCode] = []
        for number in 1...39 as ClosedRange<UInt64> {
            interrupted += Self.codes(Self.resume(number, of: Self.third, on: second, listing, &driver), to: first)
        }
        #expect(interrupted == Array(repeating: .busy, count: 13))
        #expect(driver.machine.use(of: Self.hostile.fingerprint).sessions == 26)
        #expect(driver.machine.use(of: Self.third.fingerprint).sessions == 26)
        for number in 40...45 as ClosedRange<UInt64> {
            for (device, id) in [(Self.hostile, first), (Self.third, second)] {
                #expect(Self.codes(Self.resume(number, of: device, on: id, listing, &driver), to: id) == [.busy])
            }
        }
        driver.connect()
        let honest = GatewayDriver.connection
        #expect(Self.isOpen(Self.resume(1, of: Self.honest, on: honest, listing, &driver), to: honest))
        #expect(driver.machine.sessionCount == 52)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0)
    }

    /// A session gives way only if its device still holds more than the other device would. So a device that holds as
    /// much as it wants is not pushed out by equals, and its sessions that send nothing give way first.
    @Test func sessionThatSendsNothingGivesWayFirst() throws {
        // Tables of 1,200 parts in all, and of 800 parts for one device.
        var driver = Self.driver {
            $0.budgetBytes = 2 * 1_200 * 64
            $0.budgetBytesPerDevice = 2 * 800 * 64
            $0.unwrittenBytesMax = 1_000
            $0.windowBytes = 100
        }
        let other = Self.connect(&driver, of: Self.hostile)
        for number in 1...2 as ClosedRange<UInt64> {
            Self.resume(number, of: Self.hostile, on: other, Self.entries(400), &driver)
        }
        let sent = try #require(PartNumber(1))
        driver.frame(
            .partOffer(PartOffer(part: sent, size: 1_000, isLast: false, digest: ToyDigest.sha256([7]), md5: nil)),
            slot: Slot(1), from: other)
        driver.connect()
        let honest = GatewayDriver.connection
        #expect(Self.codes(Self.resume(1, of: Self.honest, on: honest, Self.entries(400), &driver), to: other) == [])
        // The other device holds 800 parts, and this one would hold 800.
        let refused = Self.resume(2, of: Self.honest, on: honest, Self.entries(400), &driver)
        #expect(Self.codes(refused, to: honest) == [.busy] && Self.codes(refused, to: other) == [])
        let told = Self.resume(3, of: Self.honest, on: honest, Self.entries(300), &driver)
        #expect(Self.isOpen(told, to: honest))
        #expect(told.contains { if case .send(other, Slot(2), .error) = $0 { true } else { false } })
        #expect(!told.contains { if case .send(other, Slot(1), .error) = $0 { true } else { false } })
    }

    /// A session without a slot gives its table up. When its agent resumes it, the store lists its parts again.
    @Test func sessionsWithoutASlotAreForgottenFirst() {
        var driver = Self.driver()
        let listing = Self.entries()
        let lost = Self.connect(&driver, of: Self.hostile)
        for number in 1...39 as ClosedRange<UInt64> {
            Self.resume(number, of: Self.hostile, on: lost, listing, &driver)
        }
        driver.change { $0.handle(.connectionLost(lost), now: $1) }
        #expect(driver.machine.sessionCount == 39)
        let id = Self.connect(&driver, of: Self.third)
        for number in 1...20 as ClosedRange<UInt64> {
            let told = Self.resume(number, of: Self.third, on: id, listing, &driver)
            #expect(Self.isOpen(told, to: id))
        }
        #expect(driver.machine.sessionCount == 52)
        let again = Self.connect(&driver, of: Self.hostile)
        let told = Self.resume(1, of: Self.hostile, on: again, listing, &driver)
        #expect(told.contains { if case .store(_, .listParts) = $0 { true } else { false } })
        #expect(Self.isOpen(told, to: again))
    }

    // MARK: Beginning and end

    /// Parts and lists may have filled all that they may hold. Any session that WELCOME allows still gets its table.
    @Test(arguments: [4_000, 64_000, 1 << 20, 8 << 20, 64 << 20] as [UInt64])
    func loneSessionAlwaysHasRoom(budget: UInt64) throws {
        for size in [nil, 1_000] as [UInt64?] {
            var driver = Self.driver {
                $0.budgetBytes = budget
                $0.budgetBytesPerDevice = budget / 4 * 3
                $0.parts.partsMax = Self.partsMax
                $0.parts.objectBytesMax = 1 << 30
            }
            let welcomes = driver.connect().compactMap { action -> Welcome? in
                if case .send(_, _, .welcome(let welcome)) = action { welcome } else { nil }
            }
            let partsMax = try #require(welcomes.first?.partsMax)
            // Lists of one device fill what it may hold besides tables.
            var slot: UInt16 = 1
            for count in [partsMax, max(partsMax / 10, 1), 1] {
                var isTaken = true
                while isTaken, slot < 1_000 {
                    slot += 1
                    let query = ResumeQuery(listedParts: count, token: GatewayDriver.token())
                    isTaken = Self.codes(driver.frame(.resumeQuery(query), slot: Slot(slot)), to: ConnectionID(1)) == []
                }
            }
            let open = SessionOpen(
                session: SessionID(high: 9, low: 9),
                terms: GatewayDriver.terms(size: size.map { $0 * UInt64(partsMax) }, key: "file-9"), compares: false)
            let told = driver.frame(.sessionOpen(open))
            #expect(Self.codes(told, to: GatewayDriver.connection) == [])
            #expect(told.contains { if case .store(_, .lookUpObject) = $0 { true } else { false } })
        }
    }

    /// The table is released when the session ends, however it ends, and a session that is only remembered has none.
    @Test(arguments: ["completed", "aborted", "refused", "exists", "forgotten"])
    func tableIsReleasedAtTheEnd(how: String) throws {
        var driver = GatewayDriver { $0.initialCreditBytes = 0 }
        driver.connect()
        driver.openParts(size: 2_500)
        #expect(driver.machine.bytesReserved == 192)
        switch how {
        case "completed":
            driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
            driver.frame(.complete(GatewayDriver.complete(2_500)))
            driver.answer(.parts(GatewayDriver.entries(of: 2_500)))
            driver.answer(.objectStored(GatewayDriver.storedObject))
            #expect(driver.machine.sessionCount == 1)
        case "aborted":
            let other = driver.newConnection()
            driver.connect(other)
            driver.frame(.abort(Abort(token: try #require(driver.tokens.last))), from: other)
            while !driver.requests.isEmpty { driver.answer(.failed(.uploadUnknown)) }
        case "forgotten":
            driver.change { $0.handle(.connectionLost(GatewayDriver.connection), now: $1) }
            #expect(driver.machine.bytesReserved == 192)
            driver.tick(after: driver.machine.limits.sessionGrace)
        default:
            driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
            driver.answer(.failed(how == "refused" ? .denied : .uploadUnknown))
            if how == "exists" { driver.answer(.object(GatewayDriver.object(session: nil))) }
        }
        #expect(driver.machine.bytesReserved == 0)
    }

    /// ABORT of a session that the gateway has forgotten needs no table, so it is never refused for want of memory.
    @Test func abortNeedsNoTable() {
        var driver = Self.driver()
        let listing = Self.entries()
        let id = Self.connect(&driver, of: Self.hostile)
        for number in 1...39 as ClosedRange<UInt64> {
            Self.resume(number, of: Self.hostile, on: id, listing, &driver)
        }
        let before = driver.machine.bytesReserved
        let told = driver.frame(.abort(Abort(token: Self.token(40, of: Self.hostile))), slot: Slot(40), from: id)
        #expect(told.contains { if case .store(_, .abort) = $0 { true } else { false } })
        #expect(driver.machine.bytesReserved == before)
    }

    /// A file of one part needs no table.
    @Test func fileOfOnePartNeedsNoTable() {
        var driver = GatewayDriver { $0.initialCreditBytes = 0 }
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 1_000)))
        #expect(driver.machine.sessionCount == 1 && driver.machine.bytesReserved == 0)
    }

    /// An unfinished session that is adopted takes over the memory of the session that was opening.
    @Test func adoptedSessionTakesOverTheTable() throws {
        var driver = GatewayDriver { $0.initialCreditBytes = 0 }
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        #expect(driver.machine.bytesReserved == 192)
        driver.answer(.object(nil))
        let record = SessionRecord(
            device: GatewayDriver.device.name, session: SessionID(high: 5, low: 5), terms: GatewayDriver.terms(),
            upload: "upload-5")
        driver.answer(.records([record]))
        let told = driver.answer(.parts(GatewayDriver.entries(of: 2_500)))
        #expect(
            frames(told).contains { if case .sessionOpened(let opened) = $0 { opened.adoption != nil } else { false } })
        #expect(driver.machine.sessionCount == 1)
        driver.change { $0.handle(.connectionLost(GatewayDriver.connection), now: $1) }
        #expect(driver.machine.bytesReserved == 192)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0)
    }

    // MARK: ETags of unusual form

    /// A long ETag takes memory of its own. If the budget has no room for it, the part is stored all the same.
    @Test func longETagsAreReservedOrNotKept() throws {
        let etag = String(repeating: "e", count: 500)
        // Tables of one device may hold 750 bytes.
        var driver = GatewayDriver {
            $0.initialCreditBytes = 0
            $0.windowBytes = 100
            $0.budgetBytes = 64_000
            $0.budgetBytesPerDevice = 4_000
        }
        var device = GatewayDriver.device
        device.limits = DeviceLimits(budgetBytes: 2_400)
        driver.change { $0.devicesChanged([device], now: $1) }
        driver.connect()
        driver.openParts(size: 2_500)
        for (number, bytes) in [(1, 192 + 548), (2, 192 + 548)] as [(UInt32, UInt64)] {
            let offer = try #require(GatewayDriver.offer(number, of: 2_500))
            driver.frame(.partOffer(offer))
            let told = frames(driver.answer(.partStored(etag: etag)))
            #expect(told.contains { if case .stored(let stored) = $0 { stored.etag == etag } else { false } })
            #expect(driver.machine.bytesReserved == bytes)
        }
        // The gateway names the first part to a slot that resumes, and not the second.
        driver.change { $0.handle(.connectionLost(GatewayDriver.connection), now: $1) }
        let id = driver.newConnection()
        driver.connect(id, of: device)
        let query = ResumeQuery(listedParts: 0, token: try #require(driver.tokens.last), asksForPartials: true)
        let listed = frames(driver.frame(.resumeQuery(query), from: id)).flatMap { frame -> [UInt32] in
            if case .partList(let page) = frame { page.entries.map(\.part.value) } else { [] }
        }
        #expect(listed == [1])
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0)
    }
}
