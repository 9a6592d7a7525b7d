import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct StoreBreakerInGatewayTests {
    private static let lost = StoreAnswer.failed(.unavailable(retryAfter: .zero))

    private func notes(_ actions: [GatewayAction]) -> [GatewayNote] {
        actions.compactMap { action in
            guard case .note(let note) = action else { return nil }
            switch note {
            case .storeUnavailable, .storeRecovered: return note
            default: return nil
            }
        }
    }

    private func decisions(_ actions: [GatewayAction]) -> [PartDecision.Decision] {
        frames(actions).compactMap { if case .partDecision(let decision) = $0 { decision.decision } else { nil } }
    }

    private func refusals(_ actions: [GatewayAction]) -> [SessionRefused] {
        frames(actions).compactMap { if case .sessionRefused(let refused) = $0 { refused } else { nil } }
    }

    private func offer(_ number: UInt32, _ driver: inout GatewayDriver) throws -> [GatewayAction] {
        driver.frame(.partOffer(try #require(GatewayDriver.offer(number, of: 20_000))))
    }

    /// A driver with a session of twenty parts. The store failed three of them, so the breaker is open.
    private func driverWithOpenBreaker(_ answer: StoreAnswer = lost) throws -> GatewayDriver {
        var driver = GatewayDriver {
            $0.breaker.spread = .zero
            $0.breaker.cautiousBytes = 100
        }
        driver.connect()
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token(size: 20_000))))
        driver.answer(.parts([]))
        for part in 1...3 as ClosedRange<UInt32> { _ = try offer(part, &driver) }
        #expect(notes(driver.answer(answer) + driver.answer(answer)) == [])
        var last = driver.answer(answer)
        if answer == Self.lost {
            // Failing parts of a resumed session may also mean that its upload is gone, so the breaker stays closed.
            // The gateway lists the upload instead, and the store does not answer that request either.
            #expect(notes(last) == [] && driver.requests.map(\.request.kind) == [.listParts])
            last = driver.answer(answer)
        }
        #expect(notes(last) == [.storeUnavailable(answer == Self.lost ? .unavailable : .full)])
        return driver
    }

    @Test func offersAreDeferredUntilATrialIsStored() throws {
        var driver = try driverWithOpenBreaker()
        #expect(
            decisions(try offer(4, &driver)) == [.later(code: .storeUnavailable, retryAfterMilliseconds: 1_000)])
        #expect(driver.requests.isEmpty && driver.flows.isEmpty)
        driver.tick(after: .seconds(1))
        // The gateway admits one trial part, and grants it few bytes until the store takes them.
        #expect(decisions(try offer(4, &driver)) == [.send(offset: 0, limit: 100)])
        #expect(
            decisions(try offer(5, &driver)) == [.later(code: .storeUnavailable, retryAfterMilliseconds: 1_000)])
        driver.data(part: 4, bytes: 100)
        let flow = try #require(driver.flows.last)
        let raised = driver.change { $0.consumed(100, flow: flow, now: $1) }
        let received = frames(raised).compactMap {
            if case .received(let received) = $0 { received.limit } else { nil }
        }
        #expect(received == [700])
        #expect(notes(driver.answer(.partStored(etag: "e"))) == [])
        for part in [5, 6] as [UInt32] {
            #expect(decisions(try offer(part, &driver)) == [.send(offset: 0, limit: 100)])
        }
        #expect(decisions(try offer(7, &driver)) == [.later(code: .storeUnavailable, retryAfterMilliseconds: 200)])
        #expect(notes(driver.tick(after: .seconds(30))) == [.storeRecovered])
        #expect(decisions(try offer(7, &driver)) == [.send(offset: 0, limit: 600)])
    }

    @Test func downStoreIsNotAskedForANewSession() throws {
        var driver = try driverWithOpenBreaker()
        let open = Frame.sessionOpen(GatewayDriver.open(size: 900, session: SessionID(high: 5, low: 5)))
        let refused = refusals(driver.frame(open, slot: Slot(2)))
        #expect(
            refused == [
                SessionRefused(
                    code: .storeUnavailable, retryAfterMilliseconds: 1_000, message: "the store is not available")
            ])
        #expect(driver.requests.isEmpty)
        // After the wait, the look-up of the new session is the trial.
        driver.tick(after: .seconds(1))
        driver.frame(open, slot: Slot(2))
        #expect(driver.requests.map(\.request.kind) == [.lookUpObject])
        let failed = refusals(driver.answer(Self.lost))
        #expect(
            failed == [
                SessionRefused(
                    code: .storeUnavailable, retryAfterMilliseconds: 2_000, message: "the store is not available")
            ])
    }

    /// The store is full. The gateway still opens sessions, so that an agent can learn that its file is already stored.
    @Test func fullStoreOpensSessionsAndDefersParts() throws {
        var driver = try driverWithOpenBreaker(.failed(.full))
        driver.frame(.sessionOpen(GatewayDriver.open(size: 900, session: SessionID(high: 5, low: 5))), slot: Slot(2))
        driver.answer(.object(nil))
        let told = driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 900))), slot: Slot(2))
        #expect(decisions(told) == [.later(code: .storeFull, retryAfterMilliseconds: 5_000)])
    }

    @Test func openBreakerGivesNoInitialCredit() throws {
        var driver = try driverWithOpenBreaker()
        func credit(_ driver: inout GatewayDriver) -> [UInt32] {
            let id = driver.newConnection()
            return frames(driver.connect(id)).compactMap {
                if case .welcome(let welcome) = $0 { welcome.initialCreditBytes } else { nil }
            }
        }
        let reserved = driver.machine.bytesReserved
        #expect(credit(&driver) == [0])
        #expect(driver.machine.bytesReserved == reserved)
        driver.tick(after: .seconds(1))
        #expect(credit(&driver) == [0])
        _ = try offer(4, &driver)
        driver.answer(.partStored(etag: "e"))
        #expect(credit(&driver) == [500])
    }

    /// The open breaker admits look-ups, completions and aborts.
    @Test func framesWithoutDataPass() throws {
        var driver = try driverWithOpenBreaker()
        driver.frame(.abort(Abort(token: GatewayDriver.token(size: 20_000))), slot: Slot(3))
        #expect(driver.requests.map(\.request.kind) == [.abort])
        driver = try driverWithOpenBreaker()
        let token = SessionToken(
            device: GatewayDriver.device.name, session: SessionID(high: 8, low: 8),
            terms: GatewayDriver.terms(size: 9_000, key: "site/other", condition: .absent), issuedMilliseconds: 0,
            upload: "upload-2")
        let sealed = try #require(token.encoded.flatMap { ToyCryptography().seal(token: $0) })
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: sealed)), slot: Slot(2))
        #expect(driver.requests.map(\.request.kind) == [.listParts])
    }

    @Test func lostConnectionFreesItsTrial() throws {
        var driver = try driverWithOpenBreaker()
        driver.tick(after: .seconds(1))
        _ = try offer(4, &driver)
        #expect(decisions(try offer(5, &driver)).count == 1 && driver.requests.count == 1)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        let id = driver.newConnection()
        driver.connect(id)
        driver.frame(
            .resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token(size: 20_000))), from: id)
        let told = driver.frame(.partOffer(try #require(GatewayDriver.offer(5, of: 20_000))), from: id)
        #expect(decisions(told) == [.send(offset: 0, limit: 100)])
    }

    @Test func refusalsOfTwoDevicesOpenTheBreaker() throws {
        var driver = GatewayDriver { $0.breaker.spread = .zero }
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        driver.connect()
        let second = driver.newConnection()
        driver.connect(second, run: 2, of: GatewayDriver.otherDevice)
        let part = Frame.partOffer(try #require(GatewayDriver.offer(1, of: 900)))
        for (id, number) in [(GatewayDriver.connection, 1), (second, 2)] as [(ConnectionID, UInt64)] {
            let session = SessionID(high: 9, low: number)
            driver.frame(
                .sessionOpen(GatewayDriver.open(size: 900, condition: .any, session: session)), from: id)
            driver.frame(part, from: id)
        }
        #expect(notes(driver.answer(.failed(.full))) == [])
        #expect(notes(driver.answer(.failed(.full))) == [.storeUnavailable(.full)])
    }
}
