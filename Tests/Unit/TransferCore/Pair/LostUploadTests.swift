import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// When a gateway reports an upload as lost: not while another gateway may be completing it, and soon otherwise.
@Suite struct LostUploadTests {
    /// The store no longer lists the upload. If the agent lists all parts of the file, another gateway may be
    /// completing the upload, which the store hides meanwhile. The gateway then looks for the object for a while. If
    /// the agent lists fewer parts, no gateway can be completing the upload, because an agent sends COMPLETE only when
    /// its journal holds all parts. The gateway then reports the upload as lost at once.
    @Test(arguments: [(3, true), (2, false)])
    func sessionThatMayBeCompletingIsNotLost(listed: Int, isPatient: Bool) {
        var driver = GatewayDriver { $0.completionTimeMax = .seconds(60) }
        driver.connect()
        let entries = Array(GatewayDriver.entries(of: 2_500).prefix(listed))
        let began = driver.now
        driver.frame(.resumeQuery(ResumeQuery(listedParts: UInt32(listed), token: GatewayDriver.token())))
        var answers = frames(driver.frame(.partList(PartList(entries: entries, isLast: true))))
        answers += frames(driver.answer(.failed(.uploadUnknown)))
        var checks = 0
        while !driver.requests.isEmpty, checks < 100 {
            if case .lookUpObject = driver.requests[0].request { checks += 1 }
            answers += frames(driver.answer(.object(nil)))
            driver.change { $0.heard(1, from: GatewayDriver.connection, now: $1) }
            answers += frames(driver.tick(after: .seconds(min(checks, 10))))
        }
        #expect(answers.contains { if case .resumeState(let state) = $0 { state.phase == .lost } else { false } })
        let waited = driver.now.since(began)
        #expect(isPatient ? waited >= .seconds(60) && waited < .seconds(90) : waited < .seconds(10), "\(waited)")
        #expect(checks < 20)
    }

    /// The store reports only at completion that the upload is gone. If this is the agent's first COMPLETE and the
    /// gateway's first request to complete, no other gateway can have completed the upload, so the gateway reports it
    /// as lost at once. Otherwise the gateway keeps looking for the object.
    @Test(arguments: [(true, 0, false), (true, 1, true), (false, 0, true)])
    func missingUploadIsLostOnlyAtTheFirstCompletion(isFirst: Bool, failed: Int, isPatient: Bool) {
        var driver = GatewayDriver { $0.completionTimeMax = .seconds(60) }
        driver.connect()
        let entries = GatewayDriver.entries(of: 2_500)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 3, token: GatewayDriver.token())))
        driver.frame(.partList(PartList(entries: entries, isLast: true)))
        driver.answer(.parts(entries))
        driver.frame(.partList(PartList(entries: entries, isLast: true)))
        driver.frame(.complete(GatewayDriver.complete(2_500, isFirst: isFirst)))
        driver.answer(.parts(entries))
        for _ in 0..<failed {
            driver.answer(.failed(.unavailable(retryAfter: .zero)))
            driver.tick(after: .seconds(2))
        }
        let began = driver.now
        var answers = frames(driver.answer(.failed(.uploadUnknown)))
        for _ in 0..<100 where driver.machine.slotsInUse > 0 {
            answers += frames(driver.answer(.object(nil)))
            driver.change { $0.heard(1, from: GatewayDriver.connection, now: $1) }
            answers += frames(driver.tick(after: .seconds(10)))
        }
        #expect(answers.contains { if case .error(let report) = $0 { report.code == .sessionLost } else { false } })
        #expect((driver.now.since(began) >= .seconds(60)) == isPatient, "\(driver.now.since(began))")
    }

    /// The agent sends COMPLETE only when its journal holds every part. If a later run lists fewer parts, the gateway
    /// can therefore conclude that no earlier run sent COMPLETE.
    @Test func anAgentCompletesWhenItsJournalHasEveryPart() throws {
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 2))
        driver.welcome()
        driver.frame(AgentDriver.resumeState())
        driver.read()
        let part = try #require(PartNumber(3))
        let stored = driver.frame(.partDecision(PartDecision(part: part, decision: .have(etag: "etag-3"))))
        let check = AgentAction.checkFile(AgentDriver.upload)
        #expect(!stored.contains(check))
        #expect(driver.commit().contains(check))
    }

    /// Only the run that opened the session knows that no COMPLETE was sent before. It marks its first COMPLETE as the
    /// first; no other COMPLETE carries that mark.
    @Test(arguments: [false, true])
    func onlyTheFirstCompleteIsMarkedFirst(isResumed: Bool) throws {
        var driver = AgentDriver()
        driver.submit(size: 1_500, saved: isResumed ? AgentDriver.saved(size: 1_500, stored: 1) : nil)
        driver.welcome()
        driver.commit()
        driver.frame(isResumed ? AgentDriver.resumeState() : AgentDriver.opened(driver.session))
        let check = Result<FileStamp, UploadFailure>.success(AgentDriver.stamp(size: 1_500))
        var flags: [Bool] = []
        for _ in 0..<2 {
            while !driver.reads.isEmpty {
                guard let part = driver.reads.first else { break }
                driver.read(size: 1_500)
                while !driver.chunks.isEmpty { driver.chunkSent() }
                driver.frame(.partDecision(PartDecision(part: part, decision: .have(etag: "etag-\(part.value)"))))
            }
            driver.commit()
            flags += Self.completes(driver.change { $0.fileChecked(check, of: AgentDriver.upload, now: $1) })
                .map(\.isFirst)
            driver.frame(.partsWanted(PartsWanted(parts: [try #require(PartNumber(2))])))
        }
        #expect(flags == [!isResumed, false])
    }

    private static func completes(_ actions: [AgentAction]) -> [Complete] {
        frames(actions).compactMap { if case .complete(let complete) = $0 { complete } else { nil } }
    }
}
