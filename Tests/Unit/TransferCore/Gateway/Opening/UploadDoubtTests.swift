import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct UploadDoubtTests {
    private static let lost = StoreAnswer.failed(.unavailable(retryAfter: .zero))

    private static func name(_ doubt: UploadDoubt) -> String {
        switch doubt.phase {
        case .none: "none"
        case .doubted: "doubted"
        case .confirmed: "confirmed"
        }
    }

    @Test func theTableIsTrue() throws {
        var doubted = UploadDoubt()
        doubted.resumed()
        var confirmed = doubted
        _ = confirmed.step(after: .parts([]), mayBeCompleting: false)
        var changes: Set<TransitionTable.Row> = []
        for doubt in [UploadDoubt(), doubted, confirmed] {
            for answer in [Self.lost, .partStored(etag: "e"), .failed(.full)] {
                var next = doubt
                _ = next.answered(answer)
                guard next != doubt || doubt.isDoubted else { continue }
                changes.insert(.init(from: Self.name(doubt), to: Self.name(next)))
            }
        }
        changes.insert(.init(from: "none", to: Self.name(doubted)))
        changes.insert(.init(from: "doubted", to: Self.name(confirmed)))
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Opening/UploadDoubt.swift")
        #expect(Set(rows) == changes)
    }

    /// Passes lost parts to the machine.
    ///
    /// - Returns: for each of them, whether the gateway lists the upload.
    private func fail(_ count: Int, _ doubt: inout UploadDoubt) -> [Bool] {
        (1...count).map { _ in doubt.answered(Self.lost) }
    }

    @Test func threeFailuresInARowLeadToOneList() {
        var doubt = UploadDoubt()
        #expect(fail(5, &doubt) == [false, false, false, false, false])
        doubt.resumed()
        #expect(fail(3, &doubt) == [false, false, true])
        // A stored part ends a series of losses. Another failure, such as a full store, neither ends nor lengthens the
        // series.
        _ = doubt.answered(Self.lost)
        _ = doubt.answered(.partStored(etag: "e"))
        #expect(fail(2, &doubt) == [false, false])
        let isListed = doubt.answered(.failed(.full))
        #expect(!isListed)
        #expect(fail(1, &doubt) == [true])
        // The store lists the upload, so the upload exists. Until a part is stored again, failures count against the
        // store and lead to no further list.
        let step = doubt.step(after: .parts([]), mayBeCompleting: false)
        #expect(step == .open)
        #expect(fail(3, &doubt) == [false, false, false])
        _ = doubt.answered(.partStored(etag: "e"))
        #expect(fail(3, &doubt) == [false, false, true])
    }

    // MARK: In the gateway

    /// A driver with two devices. The first has resumed a session of twenty parts, of which the store has lost three.
    private func doubting() throws -> GatewayDriver {
        var driver = GatewayDriver { $0.breaker.spread = .zero }
        driver.change { $0.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: $1) }
        driver.connect()
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token(size: 20_000))))
        driver.answer(.parts([]))
        for part in 1...3 as ClosedRange<UInt32> { driver.frame(.partOffer(try offer(part))) }
        for _ in 1...3 { driver.answer(Self.lost) }
        #expect(driver.requests.map(\.request.kind) == [.listParts])
        return driver
    }

    private func offer(_ part: UInt32, of size: UInt64 = 20_000) throws -> PartOffer {
        try #require(GatewayDriver.offer(part, of: size))
    }

    private func decisions(_ actions: [GatewayAction]) -> [PartDecision.Decision] {
        frames(actions).compactMap { if case .partDecision(let decision) = $0 { decision.decision } else { nil } }
    }

    private func isSend(_ actions: [GatewayAction]) -> Bool {
        decisions(actions).contains { if case .send = $0 { true } else { false } }
    }

    /// The upload of one device is gone, and the store answers each of its parts with *unavailable*. The gateway still
    /// takes parts of other devices, and reports to the agent that its upload is gone.
    @Test func goneUploadHarmsNoOtherDevice() throws {
        var driver = try doubting()
        let told = driver.frame(.partOffer(try offer(4)))
        #expect(decisions(told) == [], "no part is sent before the answer")
        let other = driver.newConnection()
        driver.connect(other, run: 2, of: GatewayDriver.otherDevice)
        let open = GatewayDriver.open(size: 900, condition: .any, session: SessionID(high: 9, low: 9))
        driver.openAbsent(open, from: other)
        let admitted = driver.frame(.partOffer(try offer(1, of: 900)), from: other)
        #expect(isSend(admitted))
        driver.answer(.failed(.uploadUnknown))
        for _ in 1...10 {
            let look = driver.requests.firstIndex { $0.request.kind == .lookUpObject }
            guard let look else {
                driver.tick(after: .seconds(3))
                continue
            }
            driver.requests.swapAt(0, look)
            let answer = frames(driver.answer(.object(nil)))
            let codes = answer.compactMap { if case .error(let error) = $0 { error.code } else { nil } }
            if codes.contains(.sessionLost) { return }
        }
        Issue.record("the agent does not learn that its upload is gone")
    }

    @Test func sessionContinuesIfTheUploadIsThere() throws {
        var driver = try doubting()
        driver.frame(.partOffer(try offer(4)))
        #expect(isSend(driver.answer(.parts([]))))
        // From now on the gateway counts a failing part against the store.
        for part in 5...6 as ClosedRange<UInt32> { driver.frame(.partOffer(try offer(part))) }
        var notes: [GatewayNote] = []
        for _ in 4...6 {
            notes += driver.answer(Self.lost).compactMap { if case .note(let note) = $0 { note } else { nil } }
        }
        #expect(notes == [.storeUnavailable(.unavailable)])
    }

    /// The store does not answer the request for the list either. So the gateway concludes that the store is down, and
    /// opens the breaker.
    @Test func unansweredListOpensTheBreaker() throws {
        var driver = try doubting()
        #expect(driver.answer(Self.lost).contains(.note(.storeUnavailable(.unavailable))))
        let told = driver.frame(.partOffer(try offer(4)))
        #expect(decisions(told) == [.later(code: .storeUnavailable, retryAfterMilliseconds: 1_000)])
    }

    /// Another gateway may have stored the parts that fail here, so COMPLETE may arrive while the upload is listed.
    @Test func completeTakesThePlaceOfTheList() throws {
        var driver = try doubting()
        let entries = GatewayDriver.entries(of: 20_000)
        for page in PartList.pages(of: entries) { driver.frame(.partList(page)) }
        driver.frame(.complete(GatewayDriver.complete(20_000)))
        #expect(driver.requests.map(\.request.kind) == [.listParts, .listParts])
        #expect(frames(driver.answer(.failed(.uploadUnknown))) == [], "this list is no longer awaited")
        driver.answer(.parts(entries))
        #expect(driver.requests.map(\.request.kind) == [.complete])
    }

    @Test func abortTakesThePlaceOfTheList() throws {
        var driver = try doubting()
        driver.frame(.abort(Abort(token: GatewayDriver.token(size: 20_000))), slot: Slot(2))
        #expect(driver.requests.map(\.request.kind) == [.listParts, .abort])
        #expect(frames(driver.answer(.parts([]))) == [])
    }
}
