import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Codes after which the agent cannot continue the session. After the first such loss the agent uploads the file in a
/// new session; after the second it reports a failure (specification §8.5).
@Suite struct BeginAnewTests {
    static let codes = FailureRule.all.filter { $0.reaction == .beginAnew }.map(\.code)
    /// Codes after which the session still exists, so that the agent aborts it first.
    static let codesWithAbort: [ErrorCode] = [.rootMismatch, .listInvalid]

    /// The frame that carries the code: ERROR or SESSION REFUSED.
    enum Way: String, CaseIterable {
        case error, refusal
    }

    private func frame(_ code: ErrorCode, _ way: Way) -> Frame {
        switch way {
        case .error: .error(ErrorReport(scope: .session, code: code, retryAfterMilliseconds: 0, message: ""))
        case .refusal: .sessionRefused(SessionRefused(code: code, retryAfterMilliseconds: 0, message: ""))
        }
    }

    private func driver(losses: Int = 0, isOpen: Bool) -> AgentDriver {
        var driver = AgentDriver()
        var saved = AgentDriver.saved(stored: 2)
        saved.losses = losses
        driver.submit(size: 2_500, saved: saved)
        driver.welcome()
        if isOpen { driver.frame(AgentDriver.resumeState()) }
        return driver
    }

    private func writes(_ actions: [AgentAction]) -> [JournalWrite] {
        actions.compactMap { if case .journal(_, let write) = $0 { write } else { nil } }
    }

    private func opens(_ actions: [AgentAction]) -> [SessionOpen] {
        frames(actions).compactMap { if case .sessionOpen(let open) = $0 { open } else { nil } }
    }

    private func aborts(_ actions: [AgentAction]) -> [Abort] {
        frames(actions).compactMap { if case .abort(let abort) = $0 { abort } else { nil } }
    }

    private func losses(_ actions: [AgentAction]) -> [Int] {
        writes(actions).compactMap { if case .lost(_, let losses) = $0 { losses } else { nil } }
    }

    private func failure(_ driver: AgentDriver) -> UploadFailure? {
        guard driver.outcomes.count == 1, case .failed(let failure)? = driver.outcomes.first else { return nil }
        return failure
    }

    @Test func codesThatBeginAnew() {
        #expect(Self.codes == [.tokenInvalid, .tokenForeign, .sessionLost, .rootMismatch, .listInvalid])
    }

    @Test(arguments: codes, Way.allCases)
    func theFirstLossBeginsAnew(code: ErrorCode, way: Way) throws {
        var driver = driver(isOpen: way == .error)
        let old = AgentDriver.saved().session
        var actions = driver.frame(frame(code, way))
        #expect(losses(actions) == [1])
        if Self.codesWithAbort.contains(code) {
            #expect(aborts(actions).map(\.token) == [way == .error ? [4, 5] : [1, 2, 3]])
            #expect(opens(actions + driver.commit()).isEmpty)
            actions = driver.frame(.aborted(Aborted()))
        }
        #expect(aborts(actions).isEmpty)
        let began = writes(actions).compactMap { if case .began(_, let saved) = $0 { saved } else { nil } }
        let saved = try #require(began.first)
        #expect(saved.session != old && saved.losses == 1 && saved.parts.isEmpty && saved.token.isEmpty)
        #expect(opens(actions).isEmpty, "the journal has not got it yet")
        let open = try #require(opens(driver.commit()).first)
        #expect(open.session == saved.session)
        let terms = try open.terms
        #expect(terms.key == "file" && terms.size == 2_500 && terms.condition == .absent)
        #expect(driver.outcomes.isEmpty)
    }

    /// The journal carries the count of losses from one process to the next.
    @Test(arguments: codes, Way.allCases)
    func theSecondLossIsReported(code: ErrorCode, way: Way) {
        var driver = driver(losses: 1, isOpen: way == .error)
        var actions = driver.frame(frame(code, way))
        if Self.codesWithAbort.contains(code) {
            #expect(aborts(actions).count == 1)
            actions += driver.frame(.aborted(Aborted()))
        }
        actions += driver.commit()
        #expect(opens(actions).isEmpty)
        #expect(failure(driver)?.kind == .sessionLost)
        #expect(failure(driver)?.message.isEmpty == false)
    }

    @Test func lostBeginsAnew() throws {
        var driver = driver(isOpen: false)
        #expect(losses(driver.frame(AgentDriver.resumeState(.lost))) == [1])
        #expect(opens(driver.commit()).count == 1)
    }

    /// RESUME STATE *lost* arrives in a slot in which the agent asked nothing. This does not prove that the session is
    /// lost, so the agent resumes it.
    @Test func lostInAnOpenSlotIsNoLoss() {
        var driver = driver(isOpen: true)
        #expect(losses(driver.frame(AgentDriver.resumeState(.lost))).isEmpty)
        let later = frames(driver.tick(after: .seconds(1)))
        #expect(later.contains { if case .resumeQuery = $0 { true } else { false } })
    }

    /// A session of one part has no upload in the store that could be aborted.
    @Test(arguments: codes)
    func aSessionOfOnePartIsNotAborted(code: ErrorCode) {
        var driver = AgentTableTests.driver(in: .openingSmallCompleting)
        let old = driver.session
        driver.frame(.sessionOpened(SessionOpened(session: old, partBytes: 1_000, token: [4])))
        var actions = driver.frame(frame(code, .error))
        #expect(losses(actions) == [1])
        actions += driver.commit()
        #expect(aborts(actions).isEmpty)
        #expect(opens(actions).count == 1 && driver.session != old)
    }

    @Test(arguments: codes)
    func aStreamIsReportedAtOnce(code: ErrorCode) {
        var driver = AgentDriver()
        driver.submitStream()
        driver.welcome()
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        driver.readStream(bytes: 1_000, isLast: false)
        let actions = driver.frame(frame(code, .error))
        #expect(aborts(actions).count == (Self.codesWithAbort.contains(code) ? 1 : 0))
        driver.frame(.aborted(Aborted()))
        driver.commit()
        #expect(failure(driver)?.kind == .sessionLost)
    }

    /// The gateway does not know the session, so the agent has nothing to abort.
    @Test(arguments: [ErrorCode.tokenForeign, .tokenInvalid, .sessionLost], Way.allCases)
    func abortOfAnUnknownSessionForgetsTheUpload(code: ErrorCode, way: Way) {
        var driver = AgentTableTests.driver(in: .aborting)
        driver.frame(frame(code, way))
        driver.commit()
        #expect(driver.outcomes == [.dropped])
    }

    @Test func newPrefixBeginsAnew() {
        var options = PairOptions()
        options.linkBytesPerSecond = 20_000
        let pair = Pair(options)
        let upload = pair.push(bytes: 5_000)
        pair.run { $0.store.confirmed.count >= 2 }
        let device = AuthorisedDevice(
            name: Pair.device.name, fingerprint: Pair.device.fingerprint, prefix: "elsewhere/")
        pair.gateway.change { $0.devicesChanged([device], now: pair.schedule.now) }
        pair.run()
        guard case .stored = pair.agent.outcomes[upload] else {
            Issue.record("\(String(describing: pair.agent.outcomes[upload]))")
            return
        }
        #expect(pair.store.object("elsewhere/file")?.bytes == pair.files[upload]?.bytes)
    }
}
