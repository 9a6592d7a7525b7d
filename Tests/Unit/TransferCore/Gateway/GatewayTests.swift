import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Regression tests for cases of the gateway that a well-behaved agent seldom causes.
@Suite struct GatewayTests {
    static let slot = GatewayDriver.slot
    static let first = GatewayDriver.connection

    private func frames(_ actions: [GatewayAction], to id: ConnectionID = first) -> [Frame] {
        actions.compactMap { if case .send(id, _, let frame) = $0 { frame } else { nil } }
    }

    private func openOnePart(_ driver: inout GatewayDriver, from id: ConnectionID = first) throws {
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400)), from: id)
        driver.answer(.object(nil))
    }

    private func sendOnePart(_ driver: inout GatewayDriver, from id: ConnectionID = first) throws {
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))), from: id)
        driver.data(bytes: 200, from: id)
        driver.data(offset: 200, bytes: 200, from: id)
    }

    /// The gateway defers a part and receives COMPLETE, which the agent sent before it knew of the deferral. This
    /// COMPLETE stays void when the agent offers the part again (specification §9.2).
    @Test func completeOfADeferredPartIsIgnored() throws {
        var driver = GatewayDriver {
            // Parts may take 1,000 bytes of it.
            $0.budgetBytes = 1_333
            $0.budgetBytesPerDevice = 1_333
            $0.windowBytes = 500
            $0.initialCreditBytes = 400
        }
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400)))
        // Another session reserves the rest of the budget.
        let other = SessionID(high: 2, low: 2)
        driver.frame(.sessionOpen(GatewayDriver.open(size: 500, session: other)), slot: Slot(2))
        driver.machine.storeAnswered(
            driver.requests.removeLast().id, .object(nil), now: driver.now, wallMilliseconds: 0)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 500))), slot: Slot(2))
        try sendOnePart(&driver)
        driver.frame(.complete(GatewayDriver.complete(400)))
        let storing = driver.requests.removeLast()
        let opened = frames(driver.answer(.object(nil)))
        #expect(
            opened.contains {
                if case .partDecision(let decision) = $0, case .later = decision.decision { true } else { false }
            })
        driver.requests.append(storing)
        driver.answer(.failed(.cancelled))
        driver.frame(.sessionLeave(SessionLeave()), slot: Slot(2))
        // The gateway accepts the second offer, but does not release the last bytes to the store before a new COMPLETE
        // arrives.
        var released = driver.change { _, _ in }
        let offer = try #require(GatewayDriver.offer(1, of: 400))
        released += driver.frame(.partOffer(offer))
        for offset in [0, 200] as [UInt64] { driver.data(offset: offset, bytes: 200) }
        #expect(!released.contains { if case .releaseFlow = $0 { true } else { false } })
        let completed = driver.frame(.complete(GatewayDriver.complete(400)))
        #expect(completed.contains { if case .releaseFlow = $0 { true } else { false } })
    }

    /// The agent gives up its first connection and completes on a second one, while the gateway still holds the first.
    /// When the first connection is lost, the upload must continue.
    @Test func movedOnePartFileOutlivesItsConnection() throws {
        var driver = GatewayDriver()
        driver.connect()
        try openOnePart(&driver)
        try sendOnePart(&driver)
        driver.frame(.complete(GatewayDriver.complete(400)))
        let second = driver.newConnection()
        driver.connect(second)
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400)), from: second)
        let decided = driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))), from: second)
        #expect(
            frames(decided, to: second) == [
                .partDecision(
                    PartDecision(part: try #require(PartNumber(1)), decision: .send(offset: 400, limit: 400)))
            ])
        let lost = driver.change { $0.connectionLost(Self.first, now: $1) }
        #expect(!lost.contains { if case .cancel = $0 { true } else { false } })
        driver.frame(.complete(GatewayDriver.complete(400)), from: second)
        let stored = frames(driver.answer(.objectStored(GatewayDriver.storedObject)), to: second)
        #expect(stored.contains { if case .completed = $0 { true } else { false } })
    }

    /// The gateway holds all bytes of a one-part file, but COMPLETE has not come, and the agent does not return. The
    /// gateway drops the part after the grace period, so that its memory becomes free.
    @Test func aWholeOnePartFileWithoutAnAgentIsEvicted() throws {
        var driver = GatewayDriver()
        driver.connect()
        try openOnePart(&driver)
        try sendOnePart(&driver)
        driver.change { $0.connectionLost(Self.first, now: $1) }
        #expect(driver.machine.bytesReserved > 0)
        let dropped = driver.tick(after: driver.machine.limits.partGrace)
        #expect(dropped.contains { if case .cancel = $0 { true } else { false } })
        #expect(driver.machine.bytesReserved == 0)
    }

    /// If the gateway keeps the bytes of a part until the store has answered, they count against the budget until then.
    @Test(arguments: [UInt64(399), 400])
    func wholePartKeepsItsReservation(heldPartBytesMax: UInt64) throws {
        var driver = GatewayDriver { $0.heldPartBytesMax = heldPartBytesMax }
        driver.connect()
        let before = driver.machine.bytesReserved
        try openOnePart(&driver)
        try sendOnePart(&driver)
        driver.frame(.complete(GatewayDriver.complete(400)))
        let flow = try #require(driver.flows.last)
        driver.change { $0.consumed(400, flow: flow, now: $1) }
        #expect(driver.machine.bytesReserved - before == (heldPartBytesMax < 400 ? 0 : 400))
        driver.answer(.objectStored(GatewayDriver.storedObject))
        #expect(driver.machine.bytesReserved == before)
    }

    @Test(arguments: ["complete, root", "complete, list", "one part, root", "one part, not whole"])
    func refusedCompletionClosesTheSlot(what: String) throws {
        var driver = GatewayDriver()
        driver.connect()
        if what.hasPrefix("one part") {
            try openOnePart(&driver)
            driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))))
            driver.data(bytes: 200)
            if what.hasSuffix("root") { driver.data(offset: 200, bytes: 200) }
            driver.frame(.complete(Complete(root: ToyDigest.sha256([7]), partCount: 1, size: 400)))
        } else {
            driver = try GatewayTableTests.driver(in: .open)
            let entries = GatewayDriver.entries(of: 2_500)
            driver.frame(
                .partList(PartList(entries: what.hasSuffix("root") ? entries : Array(entries.dropLast()), isLast: true))
            )
            driver.frame(.complete(Complete(root: ToyDigest.sha256([7]), partCount: 3, size: 2_500)))
        }
        #expect(driver.machine.slotsInUse == 0)
        // The slot now carries another session. The gateway must not answer about the old session in this slot.
        let other = SessionID(high: 2, low: 2)
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_400, session: other)))
        var later: [GatewayAction] = []
        for _ in 0..<8 {
            later += driver.tick(after: driver.machine.limits.sessionGrace / 6)
            driver.frame(.pong(Pong(nonce: 0)), slot: .connection)
        }
        #expect(frames(later).allSatisfy { if case .ping = $0 { true } else { false } })
        #expect(driver.machine.sessionCount == 1)
    }

    @Test func aGatewayThatCannotSealRefusesEverySlot() throws {
        var limits = PairOptions().gatewayLimits
        limits.slotsMax = 4
        var machine = Gateway(limits: limits, cryptography: ToyCryptography(sealingKey: nil), software: "g")
        let now = Instant(nanoseconds: 1)
        machine.devicesChanged([GatewayDriver.device], now: now)
        machine.accepted(Self.first, now: now)
        machine.receivedFrame(
            .hello(GatewayDriver.hello()), slot: .connection, from: Self.first, now: now, wallMilliseconds: 0)
        for slot in [1, 2, 3] as [UInt16] {
            machine.receivedFrame(
                .sessionOpen(GatewayDriver.open(size: 400)), slot: Slot(slot), from: Self.first, now: now,
                wallMilliseconds: 0)
        }
        let requests = machine.takeActions().compactMap { action -> StoreRequestID? in
            if case .store(let id, _) = action { id } else { nil }
        }
        machine.storeAnswered(try #require(requests.first), .object(nil), now: now, wallMilliseconds: 0)
        let refused = frames(machine.takeActions())
        #expect(refused.count == 3)
        #expect(
            refused.allSatisfy {
                if case .sessionRefused(let refused) = $0 { refused.code == .internal } else { false }
            })
        #expect(machine.slotsInUse == 0)
    }

    /// Keys and prefixes are compared as bytes, and COMPLETED names the key without the device's prefix.
    @Test func keysAreBytes() throws {
        var driver = GatewayDriver()
        driver.connect()
        let open = SessionOpen(
            session: GatewayDriver.session, terms: GatewayDriver.terms(size: 400, key: "\u{301}a"), compares: true)
        driver.frame(.sessionOpen(open))
        let completed = frames(driver.answer(.object(GatewayDriver.object(size: 400)))).compactMap { frame -> String? in
            if case .completed(let completed) = frame { completed.location } else { nil }
        }
        #expect(completed.map { Array($0.utf8) } == [Array("\u{301}a".utf8)])
        let token = SessionToken(
            device: GatewayDriver.device.name, session: SessionID(high: 2, low: 2),
            terms: GatewayDriver.terms(key: "site/\u{301}a"), issuedMilliseconds: 0, upload: "u")
        let sealed = try #require(token.encoded.flatMap { ToyCryptography().seal(token: $0) })
        let query = Frame.resumeQuery(ResumeQuery(listedParts: 0, token: sealed))
        #expect(frames(driver.frame(query, slot: Slot(2))).isEmpty)
        #expect(driver.requests.count == 1)
    }

    @Test func abortClosesEverySlotOfTheSession() throws {
        var driver = try GatewayTableTests.driver(in: .open)
        let token = try #require(driver.tokens.last)
        let second = driver.newConnection()
        driver.connect(second)
        let actions = driver.frame(.abort(Abort(token: token)), from: second)
        #expect(
            frames(actions).contains {
                if case .error(let report) = $0 { report.code == .superseded } else { false }
            })
        // The gateway refuses a query for the session at once while it aborts the upload.
        let late = driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), slot: Slot(2))
        #expect(
            frames(late).contains {
                if case .sessionRefused(let refused) = $0 { refused.code == .superseded } else { false }
            })
        driver.answer(.done)
        #expect(frames(driver.answer(.parts([])), to: second) == [.aborted(Aborted())])
        #expect(driver.machine.slotsInUse == 0)
    }

    @Test func partsAreWantedOnlyDuringCompletion() throws {
        var driver = try GatewayTableTests.driver(in: .open)
        let second = driver.newConnection()
        driver.connect(second)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: try #require(driver.tokens.last))), from: second)
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        driver.frame(.complete(GatewayDriver.complete(2_500)))
        driver.answer(.parts([]))
        let wanted = driver.answer(.failed(.partsInvalid([try #require(PartNumber(2))])))
        #expect(frames(wanted) == [.partsWanted(PartsWanted(parts: [try #require(PartNumber(2))]))])
        #expect(frames(wanted, to: second).isEmpty)
    }

    @Test func completionAttemptsAreLimited() throws {
        var driver = try GatewayTableTests.driver(in: .completing)
        var tries = 0
        while case .complete? = driver.requests.first?.request, tries < 100 {
            tries += 1
            driver.answer(.failed(.unavailable(retryAfter: .zero)))
            driver.tick(after: .seconds(30))
        }
        #expect(tries == driver.machine.limits.completionAttempts)
    }

    @Test(arguments: [true, false])
    func changeOfTheListEndsConnections(isGone: Bool) {
        var driver = GatewayDriver()
        driver.connect()
        var device = GatewayDriver.device
        device.prefix = "other/"
        let ended = driver.change { $0.devicesChanged(isGone ? [] : [device], now: $1) }
        #expect(
            frames(ended).contains {
                if case .error(let report) = $0 { report.code == (isGone ? .notAuthorised : .draining) } else { false }
            })
    }

    @Test func unsortedListPagesAreRefused() throws {
        var driver = GatewayDriver()
        driver.connect()
        let entries = GatewayDriver.entries(of: 2_500)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 3, token: GatewayDriver.token())))
        driver.frame(.partList(PartList(entries: [entries[0], entries[2]], isLast: false)))
        let refused = driver.frame(.partList(PartList(entries: [entries[1]], isLast: true)))
        #expect(
            frames(refused).contains {
                if case .sessionRefused(let refused) = $0 { refused.code == .listInvalid } else { false }
            })
        #expect(driver.machine.slotsInUse == 0)
    }

    /// The gateway frees the memory of the part list after it has compared the list, not only when the slot closes.
    @Test func listOfAQueryIsReserved() throws {
        var driver = GatewayDriver()
        driver.connect()
        let before = driver.machine.bytesReserved
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 3, token: GatewayDriver.token())))
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        // The table of three parts stays reserved, and the list does not.
        #expect(driver.machine.bytesReserved > before + 192)
        driver.answer(.parts([]))
        #expect(driver.machine.bytesReserved == before + 192)
    }

    /// An ETag can be of any length, so the reservation for a part list includes the length of its ETags.
    @Test func listReservationIncludesETags() throws {
        let entries = GatewayDriver.entries(of: 2_500)
        let long = entries.map { entry in
            PartListEntry(
                part: entry.part, size: entry.size, digest: entry.digest, etag: String(repeating: "e", count: 1_000))
        }
        let reserved = [entries, long].map { entries -> [UInt64] in
            var driver = GatewayDriver()
            driver.connect()
            driver.frame(.resumeQuery(ResumeQuery(listedParts: 3, token: GatewayDriver.token())))
            driver.frame(.partList(PartList(entries: entries, isLast: true)))
            let compared = driver.machine.bytesReserved
            driver.answer(.parts([]))
            let open = driver.machine.bytesReserved
            driver.frame(.partList(PartList(entries: entries, isLast: true)))
            return [compared, open, driver.machine.bytesReserved]
        }
        let more: UInt64 = 3 * 920
        #expect(reserved[1] == [reserved[0][0] + more, reserved[0][1], reserved[0][2] + more])
    }

    @Test func theListIsReleasedWhenPartsAreWanted() throws {
        var driver = try GatewayTableTests.driver(in: .open)
        let before = driver.machine.bytesReserved
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        driver.frame(.complete(GatewayDriver.complete(2_500)))
        driver.answer(.parts([]))
        driver.answer(.failed(.partsInvalid([try #require(PartNumber(2))])))
        #expect(driver.machine.bytesReserved == before)
    }

    @Test func aFileOfOnePartHasNoList() {
        var driver = GatewayDriver()
        driver.connect()
        driver.openAbsent(GatewayDriver.open(size: 400, condition: .any, compares: false))
        let before = driver.machine.bytesReserved
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        #expect(driver.machine.bytesReserved == before)
    }

    /// A part moved to a new connection while a chunk was still arriving on the old one. The gateway discards the rest
    /// of that chunk, because bytes from two connections must not mix.
    @Test func arrivingChunkOfAMovedPartIsDiscarded() throws {
        var driver = try GatewayTableTests.driver(in: .open)
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        driver.frame(.partOffer(offer))
        let header = PartDataHeader(
            part: offer.part, offset: 0, plainBytes: 200, isCompressed: false, payloadBytes: 200)
        let verdict = driver.machine.receivedData(header, slot: Self.slot, from: Self.first, now: driver.now)
        guard case .accept(let flow, skip: 0) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        var isWanted = driver.machine.receivedBytes(80, flow: flow, from: Self.first, now: driver.now)
        #expect(isWanted)
        let second = driver.newConnection()
        driver.connect(second)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: try #require(driver.tokens.last))), from: second)
        let decided = frames(driver.frame(.partOffer(offer), from: second), to: second)
        #expect(decided == [.partDecision(PartDecision(part: offer.part, decision: .send(offset: 80, limit: 600)))])
        isWanted = driver.machine.receivedBytes(120, flow: flow, from: Self.first, now: driver.now)
        #expect(!isWanted)
        #expect(driver.data(offset: 200, bytes: 200) == .discard)
        #expect(driver.data(offset: 80, bytes: 200, from: second) == .accept(flow, skip: 0))
        #expect(driver.data(offset: 200, bytes: 200, from: second) == .accept(flow, skip: 80))
    }

    @Test func drainedGatewayHasNoPastDeadline() {
        var driver = GatewayDriver()
        driver.connect()
        driver.change { $0.drain(within: .seconds(1), now: $1) }
        driver.tick(after: .seconds(2))
        #expect(driver.machine.connectionCount == 0)
        if let deadline = driver.machine.nextDeadline { #expect(deadline > driver.now) }
    }
}
