import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The request that makes an object may take effect after its upload was given up. The agent writes no other
/// version of the file under the key before the put limit has passed (specification §9.2).
@Suite struct WithdrawnVersionTests {
    private static let upload = AgentDriver.upload
    /// The put limit in `AgentDriver.welcome`.
    private static let putLimit = Duration.seconds(30)

    private func writes(_ actions: [AgentAction]) -> [JournalWrite] {
        actions.compactMap { if case .journal(_, let write) = $0 { write } else { nil } }
    }

    private func begins(_ actions: [AgentAction]) -> Bool {
        writes(actions).contains { if case .began = $0 { true } else { false } }
    }

    private func completed() -> AgentDriver { AgentTableTests.driver(in: .openingSmallCompleting) }

    @Test func dropAfterCompleteIsRemembered() {
        var driver = completed()
        _ = driver.connectionLost()
        let dropped = writes(driver.change { $0.drop(Self.upload, now: $1) })
        #expect(dropped == [.dropping(Self.upload), .mayStillAppear(Self.upload), .finished(Self.upload, .dropped)])
    }

    /// ABORTED may come from a gateway other than the one whose request is still on its way to the store. So the agent
    /// remembers, even after ABORTED, that the old version may still appear.
    @Test func abortByTheGatewayIsRemembered() {
        var driver = completed()
        driver.frame(AgentDriver.opened(driver.session))
        driver.change { $0.drop(Self.upload, now: $1) }
        driver.frame(.sessionLeft(SessionLeft()))
        #expect(
            writes(driver.frame(.aborted(Aborted()))) == [
                .mayStillAppear(Self.upload), .finished(Self.upload, .dropped),
            ])
    }

    /// The agent does not know whether the earlier run sent COMPLETE. If it did, the old version may still appear, so
    /// the agent remembers this.
    @Test func dropOfAnEarlierRunIsRemembered() {
        var driver = AgentDriver()
        let saved = AgentDriver.saved(size: 200, stored: 0, token: [])
        let actions = driver.submit(size: 200, saved: saved, purpose: .abort)
        #expect(writes(actions).contains(.mayStillAppear(Self.upload)))
    }

    /// The error code does not say whether COMPLETE has an effect: the object may still appear.
    @Test func endWithoutAnOutcomeIsRemembered() {
        var driver = completed()
        let refusal = SessionRefused(code: .superseded, retryAfterMilliseconds: 0, message: "")
        #expect(writes(driver.frame(.sessionRefused(refusal))).contains(.mayStillAppear(Self.upload)))
    }

    /// The store, or the gateway in its place, has refused the file: no request is left that could store it.
    @Test(arguments: [ErrorCode.contentRefused, .keyTaken, .keyUnsupported], [true, false])
    func refusalToStoreIsNotRemembered(code: ErrorCode, isOpened: Bool) {
        var driver = completed()
        if isOpened { driver.frame(AgentDriver.opened(driver.session)) }
        let report = ErrorReport(scope: .session, code: code, retryAfterMilliseconds: 0, message: "")
        let refused = SessionRefused(code: code, retryAfterMilliseconds: 0, message: "")
        let written = writes(driver.frame(isOpened ? .error(report) : .sessionRefused(refused)))
        #expect(written.contains { if case .finished = $0 { true } else { false } })
        #expect(!written.contains(.mayStillAppear(Self.upload)))
    }

    @Test func takenKeyIsNotRemembered() {
        var driver = completed()
        let exists = SessionExists(size: 5, partBytes: 0, evidence: .none, etag: "e", version: "", session: nil)
        let written = writes(driver.frame(.sessionExists(exists)))
        #expect(written.contains { if case .finished = $0 { true } else { false } })
        #expect(!written.contains(.mayStillAppear(Self.upload)))
    }

    /// The first COMPLETE was sent on a connection that was lost. The refusal of the second COMPLETE does not show the
    /// outcome of the first.
    @Test func refusalAfterALostCompleteIsRemembered() throws {
        var driver = completed()
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        driver.welcome()
        driver.frame(AgentDriver.opened(driver.session))
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 200))))
        var sent: [Frame] = []
        while !driver.chunks.isEmpty { sent += frames(driver.chunkSent()) }
        #expect(sent.contains { if case .complete = $0 { true } else { false } })
        let report = ErrorReport(scope: .session, code: .contentRefused, retryAfterMilliseconds: 0, message: "")
        #expect(writes(driver.frame(.error(report))).contains(.mayStillAppear(Self.upload)))
    }

    @Test func refusedFileDelaysNoOther() {
        let pair = Pair()
        pair.store.faults = [.storeObject: [1: .fails(.refused(message: "no"))]]
        let upload = pair.push(bytes: 200)
        #expect(pair.expectFailed(upload)?.kind == .contentRefused)
        #expect(pair.journal.rows[upload]?.withdrawn == nil)
    }

    @Test(arguments: ["not completed", "several parts", "stored"])
    func harmlessUploadIsNotRemembered(what: String) {
        var driver = what == "stored" ? completed() : AgentDriver()
        var actions: [AgentAction] = []
        switch what {
        case "not completed":
            driver.submit(size: 200)
            driver.welcome()
            driver.commit()
            actions = driver.change { $0.drop(Self.upload, now: $1) }
        case "several parts":
            actions = driver.submit(size: 2_500, saved: AgentDriver.saved(), purpose: .abort)
        default:
            actions = driver.frame(AgentDriver.completed(size: 200))
        }
        #expect(!writes(actions).contains(.mayStillAppear(Self.upload)))
    }

    /// An earlier run sends COMPLETE of several parts only when the journal has all of them.
    @Test(arguments: [2, 3])
    func dropOfAnEarlierRunWithAllPartsIsRemembered(stored: Int) {
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: stored), purpose: .abort)
        driver.welcome()
        let written = writes(driver.frame(.aborted(Aborted())))
        #expect(written.contains(.mayStillAppear(Self.upload)) == (stored == 3))
        #expect(written.contains(.finished(Self.upload, .dropped)))
    }

    /// The earlier run, whose journal is lost, may have sent COMPLETE of the session that the gateway has found.
    @Test func dropOfAnAdoptedSessionIsRemembered() {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        driver.welcome()
        driver.commit()
        driver.frame(AgentDriver.opened(SessionID(high: 9, low: 9), isAdopted: true))
        driver.change { $0.drop(Self.upload, now: $1) }
        driver.frame(.sessionLeft(SessionLeft()))
        #expect(writes(driver.frame(.aborted(Aborted()))).contains(.mayStillAppear(Self.upload)))
    }

    /// The store may be completing the earlier version when ABORT comes, and show the object later.
    @Test(arguments: [2, 3])
    func newVersionOfSeveralPartsWaitsIfAllPartsWereStored(stored: Int) {
        var driver = AgentDriver()
        driver.submit(size: 2_600, saved: AgentDriver.saved(stored: stored))
        driver.welcome()
        driver.tick(after: .seconds(5))
        let dropped = driver.frame(.aborted(Aborted()))
        #expect(dropped.contains(.report(Self.upload, .waitingForEarlierVersion(Self.putLimit))) == (stored == 3))
        #expect(begins(dropped) == (stored == 2))
        guard stored == 3 else { return }
        #expect(!begins(driver.tick(after: Self.putLimit - .milliseconds(1))))
        #expect(begins(driver.tick(after: .milliseconds(1))))
    }

    /// The size of a stream in the journal shows that the earlier run has read the stream to its end.
    @Test(arguments: [0, 2_000, 2_001])
    func nextStreamWaitsIfAllPartsWereStored(journalled: UInt64) {
        var driver = AgentDriver()
        var saved = AgentDriver.saved(stored: 2)
        saved.stamp.size = journalled
        driver.submitStream(saved: saved)
        driver.welcome()
        let dropped = driver.frame(.aborted(Aborted()))
        let isWhole = journalled == 2_000
        #expect(dropped.contains(.report(Self.upload, .waitingForEarlierVersion(Self.putLimit))) == isWhole)
        #expect(begins(dropped) != isWhole)
    }

    @Test func endOfAStreamIsRecorded() {
        var driver = AgentDriver()
        driver.submitStream()
        driver.welcome()
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        #expect(!writes(driver.readStream(bytes: 1_000, isLast: false)).contains { $0.stamp != nil })
        #expect(writes(driver.readStream(bytes: 10, isLast: true)).compactMap(\.stamp?.size) == [1_010])
    }

    /// Two streams have equal stamps, but not the same content.
    @Test func anotherStreamIsAnotherVersion() {
        var driver = AgentDriver()
        driver.submitStream(withdrawn: WithdrawnVersion(stamp: AgentDriver.stamp(size: 0), age: .zero))
        #expect(!begins(driver.welcome()))
    }

    @Test(arguments: [Duration.zero, .seconds(10), .seconds(29)])
    func newVersionWaitsForThePutLimit(age: Duration) {
        var driver = AgentDriver()
        let withdrawn = WithdrawnVersion(stamp: AgentDriver.stamp(size: 100), age: age)
        driver.submit(size: 200, withdrawn: withdrawn)
        // Time that passes before the gateway announces the put limit counts towards the wait.
        driver.now = driver.now + .milliseconds(500)
        let rest = Self.putLimit - age - .milliseconds(500)
        let welcomed = driver.welcome()
        #expect(!begins(welcomed))
        #expect(welcomed.contains(.report(Self.upload, .waitingForEarlierVersion(rest))))
        #expect(!begins(driver.tick(after: rest - .milliseconds(1))))
        #expect(begins(driver.tick(after: .milliseconds(1))))
    }

    @Test func newVersionBeginsAfterThePutLimit() {
        var driver = AgentDriver()
        driver.submit(size: 200, withdrawn: WithdrawnVersion(stamp: AgentDriver.stamp(size: 100), age: .seconds(31)))
        #expect(begins(driver.welcome()))
    }

    /// The earlier request stores the same version of the file, so it can do no harm and the agent need not wait.
    @Test func theSameVersionBeginsAtOnce() {
        var driver = AgentDriver()
        driver.submit(size: 200, withdrawn: WithdrawnVersion(stamp: AgentDriver.stamp(size: 200), age: .zero))
        #expect(begins(driver.welcome()))
    }

    /// The journal's row of a new session replaces that of the earlier one, whose object may still appear.
    @Test(arguments: [0, 29, 30])
    func newSessionOfAVersionThatMayAppearRemembersIt(ageSeconds: Int) {
        var driver = AgentDriver()
        let withdrawn = WithdrawnVersion(stamp: AgentDriver.stamp(size: 200), age: .seconds(ageSeconds))
        driver.submit(size: 200, withdrawn: withdrawn)
        #expect(writes(driver.welcome()).contains(.mayStillAppear(Self.upload)) == (ageSeconds < 30))
    }

    /// The agent opens the session only when the journal remembers the version.
    @Test func sessionWaitsUntilTheVersionIsRemembered() {
        var driver = AgentDriver()
        driver.submit(size: 200, withdrawn: WithdrawnVersion(stamp: AgentDriver.stamp(size: 200), age: .zero))
        let sequences = driver.welcome().compactMap { action -> JournalSequence? in
            if case .journal(let sequence, _) = action { sequence } else { nil }
        }
        #expect(sequences.count == 2)
        let opened: [[FrameType]] = sequences.map { sequence in
            frames(driver.handle(.journalCommitted(through: sequence))).map(\.type)
        }
        #expect(opened == [[], [.sessionOpen]])
    }

    /// The next run has the session's row, without the parts of the lost journal. The earlier run may have sent
    /// COMPLETE of the session.
    @Test func adoptedSessionIsRememberedBeforeItsPartsAre() {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        driver.welcome()
        driver.commit()
        let adopted = writes(driver.frame(AgentDriver.opened(SessionID(high: 9, low: 9), isAdopted: true)))
        #expect(adopted.contains(.mayStillAppear(Self.upload)))
    }

    /// A new version of a file waits if the earlier version may still appear, although the journal's row of the earlier
    /// session has too few parts to show this.
    @Test(arguments: [true, false])
    func newVersionWaitsIfTheSavedOneIsRemembered(isRemembered: Bool) {
        var driver = AgentDriver()
        let saved = AgentDriver.saved(stored: 1)
        let withdrawn = isRemembered ? WithdrawnVersion(stamp: saved.stamp, age: .zero) : nil
        driver.submit(size: 2_600, saved: saved, withdrawn: withdrawn)
        driver.welcome()
        #expect(begins(driver.frame(.aborted(Aborted()))) != isRemembered)
    }

    /// The user drops the new version while the agent waits for the put limit. The old version may still appear, so the
    /// agent does not forget it.
    @Test func aDropDuringTheWaitForgetsNothing() {
        let pair = Pair()
        let upload = pair.push(bytes: 200)
        pair.run { $0.store.requestCounts[.storeObject] == 1 }
        pair.restartAgent { pair.files[upload]?.rewrite(Array(repeating: 7, count: 210)) }
        pair.run { $0.agent.reports.contains { if case .waitingForEarlierVersion = $0 { true } else { false } } }
        pair.agent.change { $0.drop(upload, now: pair.schedule.now) }
        pair.run()
        #expect(pair.journal.rows[upload]?.withdrawn != nil)
    }

    // MARK: The gateway

    /// A completion that the store has begun cannot be stopped. If the store does not check the write condition of the
    /// completion, the put limit is at least as long as a completion may take.
    @Test(arguments: [(true, 300, 75), (false, 300, 300), (false, 10, 75)])
    func limitCoversACompletionThatTheStoreDoesNotCheck(checks: Bool, completion: Int, named: Int) {
        var driver = GatewayDriver {
            $0.completionTimeMax = .seconds(completion)
            if !checks { $0.conditions.complete.ifMatch = false }
        }
        let named = UInt32(named * 1_000)
        #expect(
            driver.connect().contains {
                if case .send(_, _, .welcome(let welcome)) = $0 { welcome.putLimitMilliseconds == named } else { false }
            })
    }

    @Test(arguments: [true, false])
    func abortWaitsForThePendingRequest(takesEffect: Bool) throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400)))
        driver.answer(.object(nil))
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))))
        driver.data(bytes: 200)
        driver.data(offset: 200, bytes: 200)
        driver.frame(.complete(GatewayDriver.complete(400)))
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        let next = driver.newConnection()
        driver.connect(next)
        let token = try #require(driver.tokens.last)
        let aborted: (GatewayAction) -> Bool = { if case .send(_, _, .aborted) = $0 { true } else { false } }
        #expect(!driver.frame(.abort(Abort(token: token)), from: next).contains(where: aborted))
        #expect(!driver.tick(after: .seconds(5)).contains(where: aborted))
        let answer = takesEffect ? StoreAnswer.objectStored(GatewayDriver.storedObject) : .failed(.cancelled)
        #expect(driver.answer(answer).contains(where: aborted))
        driver.comeToRest()
        #expect(driver.machine.sessionCount == 0)
    }
}

extension JournalWrite {
    /// The new stamp of the file, if this write records one.
    fileprivate var stamp: FileStamp? {
        if case .restamped(_, let stamp) = self { stamp } else { nil }
    }
}
