import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct UploadAbortTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static let answers: [StoreAnswer] =
        [.done, .parts([]), .parts(GatewayDriver.entries(of: 900))]
        + [.uploadUnknown, .unavailable(retryAfter: .zero), .outcomeUnknown, .denied].map { .failed($0) }

    private static func name(of phase: UploadAbort.Phase) -> String {
        switch phase {
        case .asking: "asking"
        case .listing: "listing"
        case .pausing: "pausing"
        case .awaitingGivenUp: "awaitingGivenUp"
        }
    }

    private static func name(after abort: UploadAbort, _ result: UploadAbort.OnAnswer) -> String {
        switch result {
        case .ask, .pause: name(of: abort.phase)
        case .finished: "finished"
        case .failed: "failed"
        }
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = []
        if UploadAbort.ofOnePart.isFinished(mayLand: false) {
            changes.insert(TransitionTable.Row(from: Self.name(of: UploadAbort.ofOnePart.phase), to: "finished"))
        }
        var listing = UploadAbort(of: "upload-1")
        #expect(listing.answered(.done, mayLand: false, now: Self.now) == .ask)
        for abort in [UploadAbort(of: "upload-1"), listing] {
            for answer in Self.answers {
                for mayLand in [false, true] {
                    var next = abort
                    let result = next.answered(answer, mayLand: mayLand, now: Self.now)
                    changes.insert(
                        TransitionTable.Row(from: Self.name(of: abort.phase), to: Self.name(after: next, result)))
                    guard next.nextDeadline != nil else { continue }
                    next.resumed()
                    changes.insert(TransitionTable.Row(from: "pausing", to: Self.name(of: next.phase)))
                }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Completing/UploadAbort.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func isRepeatedUntilNothingIsListed() {
        var abort = UploadAbort(of: "upload-1")
        let parts = StoreAnswer.parts(GatewayDriver.entries(of: 900))
        for attempt in 1...7 {
            #expect(abort.answered(.done, mayLand: false, now: Self.now) == .ask)
            #expect(abort.answered(parts, mayLand: false, now: Self.now) == .pause)
            #expect(abort.nextDeadline == Self.now + .milliseconds(100 << min(attempt, 5)))
            abort.resumed()
        }
        #expect(abort.answered(.done, mayLand: false, now: Self.now) == .ask)
        #expect(abort.answered(parts, mayLand: false, now: Self.now) == .failed)
    }

    @Test func waitingForRequestsThatWereGivenUpUsesNoAttempt() {
        var abort = UploadAbort(of: "upload-1")
        for _ in 0..<20 {
            #expect(abort.answered(.failed(.uploadUnknown), mayLand: true, now: Self.now) == .pause)
            abort.resumed()
        }
        #expect(abort.answered(.failed(.unavailable(retryAfter: .zero)), mayLand: false, now: Self.now) == .pause)
        abort.resumed()
        #expect(abort.answered(.failed(.uploadUnknown), mayLand: false, now: Self.now) == .finished)
    }

    // MARK: Steps

    @Test func theUploadIsDroppedAndThenListed() throws {
        let target = try SessionEndingTests.target()
        var abort = UploadAbort(of: "upload-1")
        #expect(abort.ask(target) == .ask(.aborting(abort), .abort(key: "site/file", upload: "upload-1")))
        #expect(
            abort.step(after: .done, target, mayLand: false, now: Self.now)
                == .ask(.aborting(abort), .listParts(key: "site/file", upload: "upload-1")))
        let parts = StoreAnswer.parts(GatewayDriver.entries(of: 900))
        #expect(abort.step(after: parts, target, mayLand: false, now: Self.now) == .rest(.aborting(abort)))
        #expect(abort.resumed(target) == .ask(.aborting(abort), .abort(key: "site/file", upload: "upload-1")))
        #expect(
            abort.step(after: .failed(.uploadUnknown), target, mayLand: false, now: Self.now) == .finishAbort)
    }

    /// A file of one part has no upload to drop, so the session asks the store nothing.
    @Test func onePartOnlyWaitsForWhatWasGivenUp() throws {
        let target = try SessionEndingTests.target(size: 400, upload: nil)
        let abort = UploadAbort.ofOnePart
        #expect(abort.ask(target) == .rest(.aborting(abort)))
        #expect(!abort.isFinished(mayLand: true) && abort.isFinished(mayLand: false))
        #expect(!UploadAbort(of: "upload-1").isFinished(mayLand: false))
    }

    /// The session was refused because the store refuses one part, while another part was on its way. That part may
    /// arrive after an abort and bring the upload back, so ABORTED waits for the answer to its request.
    @Test(arguments: [true, false])
    func waitsForAPartOfARefusedSession(isStored: Bool) throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 1_200)
        for number in [1, 2] as [UInt32] {
            driver.frame(.partOffer(try #require(GatewayDriver.offer(number, of: 1_200))))
            driver.data(part: number, bytes: 200)
        }
        let late = driver.requests.removeFirst()
        let refused = frames(driver.answer(.failed(.denied)))
        #expect(
            refused.contains {
                guard case .error(let report) = $0 else { return false }
                return report.scope == .session && report.code == .storeRefuses
            })
        #expect(driver.machine.sessionCount == 1)

        let token = try #require(driver.tokens.last)
        let isAborted: (GatewayAction) -> Bool = { if case .send(_, _, .aborted) = $0 { true } else { false } }
        driver.frame(.abort(Abort(token: token)))
        driver.answer(.done)
        #expect(!driver.answer(.failed(.uploadUnknown)).contains(where: isAborted))
        let answer = isStored ? StoreAnswer.partStored(etag: "e1") : .failed(.cancelled)
        driver.machine.handle(.storeAnswered(late.id, answer, wallMilliseconds: 0), now: driver.now)
        driver.tick(after: .seconds(5))
        driver.answer(.done)
        #expect(driver.answer(.failed(.uploadUnknown)).contains(where: isAborted))
        driver.comeToRest()
        #expect(driver.machine.sessionCount == 0)
    }

    @Test func refusedSessionIsForgottenAfterItsLastAnswer() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 1_200)
        for number in [1, 2] as [UInt32] {
            driver.frame(.partOffer(try #require(GatewayDriver.offer(number, of: 1_200))))
            driver.data(part: number, bytes: 200)
        }
        let late = driver.requests.removeFirst()
        driver.answer(.failed(.denied))
        #expect(driver.machine.sessionCount == 1)
        driver.machine.handle(.storeAnswered(late.id, .failed(.cancelled), wallMilliseconds: 0), now: driver.now)
        #expect(driver.machine.sessionCount == 0)
    }
}
