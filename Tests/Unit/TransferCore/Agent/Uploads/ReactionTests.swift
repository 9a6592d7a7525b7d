import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The agent reacts to each error code as the table of codes requires (specification §12).
@Suite struct ReactionTests {
    /// Every code of the table, and one unknown code.
    static let codes = FailureRule.all.map(\.code) + [ErrorCode(rawValue: 0x7777)]

    private static func codes(of scope: FailureRule.Scope) -> [ErrorCode] {
        codes.filter { FailureRule.of($0)?.scopes.contains(scope) ?? true }
    }

    /// Describes in words what the agent does within two seconds after it received an error code.
    private func seen(_ driver: inout AgentDriver, after actions: [AgentAction], part: PartNumber) -> Set<String> {
        var actions = actions
        let isAborting = frames(actions).contains { if case .abort = $0 { true } else { false } }
        if isAborting { actions += driver.frame(.aborted(Aborted())) }
        actions += driver.commit()
        if driver.machine.verdict != nil { return ["ends every upload"] }
        if !driver.outcomes.isEmpty { return ["ends the upload"] }
        while !driver.chunks.isEmpty { actions += driver.chunkSent() }
        actions += driver.tick(after: .seconds(2))
        driver.welcome()
        return Set(
            actions.compactMap { action in
                switch action {
                case .readPart(_, part, _, _, _, _): "reads the part"
                case .connect: "connects"
                case .send(_, _, .sessionOpen): "opens a session"
                case .send(_, _, .resumeQuery): "resumes the session"
                case .send(_, _, .partOffer(let offer)) where offer.part == part: "offers the part"
                default: nil
                }
            })
    }

    @Test(arguments: codes(of: .connection))
    func aCodeOfAConnection(code: ErrorCode) throws {
        var driver = AgentTableTests.driver(in: .sendingDecided)
        let report = ErrorReport(scope: .connection, code: code, retryAfterMilliseconds: 0, message: "m")
        let actions = driver.frame(.error(report))
        let seen = seen(&driver, after: actions, part: try #require(PartNumber(1)))
        switch FailureRule.reaction(to: code, in: .connection) {
        case .report, .stop: #expect(seen == ["ends every upload"])
        case .reconnect, .tryAgain: #expect(seen == ["connects"])
        case .beginAnew, .readAgain: Issue.record("\(code) does not come in this scope")
        }
    }

    @Test(arguments: codes(of: .session))
    func aCodeOfASession(code: ErrorCode) throws {
        var driver = AgentTableTests.driver(in: .sendingDecided)
        let report = ErrorReport(scope: .session, code: code, retryAfterMilliseconds: 0, message: "m")
        let actions = driver.frame(.error(report))
        let seen = seen(&driver, after: actions, part: try #require(PartNumber(1)))
        switch FailureRule.reaction(to: code, in: .session) {
        case .report: #expect(seen == ["ends the upload"])
        // The agent resumes the session, and offers the interrupted part again without waiting for RESUME STATE.
        case .tryAgain: #expect(seen == ["resumes the session", "offers the part"])
        case .beginAnew: #expect(seen == ["opens a session"])
        case .stop, .reconnect, .readAgain: Issue.record("\(code) does not come in this scope")
        }
    }

    @Test(arguments: codes(of: .part), [true, false])
    func aCodeOfAPart(code: ErrorCode, isDecision: Bool) throws {
        var driver = AgentTableTests.driver(in: isDecision ? .sendingUndecided : .sendingDecided)
        let part = try #require(PartNumber(1))
        let report = ErrorReport(scope: .part(part), code: code, retryAfterMilliseconds: 0, message: "m")
        let actions = driver.frame(
            isDecision ? .partDecision(PartDecision(part: part, decision: .no(code: code))) : .error(report))
        let seen = seen(&driver, after: actions, part: part)
        switch FailureRule.reaction(to: code, in: .part) {
        case .report: #expect(seen == ["ends the upload"])
        case .tryAgain: #expect(seen == ["offers the part"])
        case .readAgain: #expect(seen == ["reads the part"])
        case .stop, .reconnect, .beginAnew: Issue.record("\(code) does not come in this scope")
        }
    }

    /// Deferred offers between the mismatches do not reset the count of reads.
    @Test func mismatchedPartIsReadAgainTwice() throws {
        var driver = AgentTableTests.driver(in: .sendingUndecided)
        let part = try #require(PartNumber(1))
        let mismatch = Frame.error(
            ErrorReport(scope: .part(part), code: .digestMismatch, retryAfterMilliseconds: 0, message: ""))
        let later = Frame.partDecision(
            PartDecision(part: part, decision: .later(code: .busy, retryAfterMilliseconds: 0)))
        for _ in 0..<2 {
            for _ in 0..<4 {
                driver.frame(later)
                while !driver.chunks.isEmpty { driver.chunkSent() }
                driver.tick(after: .seconds(5))
            }
            driver.frame(mismatch)
            while driver.reads.first != part, !driver.reads.isEmpty { driver.read() }
            #expect(driver.reads == [part])
            driver.read()
        }
        driver.frame(mismatch)
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .changed)
    }

    /// An error about a part arrives in another slot than the one in which the agent offered the part last. It concerns
    /// an earlier offer, so the agent ignores it.
    @Test func aReportOfAPartThatMovedIsIgnored() throws {
        var driver = AgentDriver { $0.connections = 2 }
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 0))
        for id in driver.connections {
            driver.change { $0.connected(id, now: $1) }
            driver.change { $0.receivedFrame(.welcome(AgentDriver.welcome(0)), slot: .connection, from: id, now: $1) }
        }
        for place in driver.slots {
            driver.change {
                $0.receivedFrame(AgentDriver.resumeState(), slot: place.slot, from: place.connection, now: $1)
            }
        }
        for place in driver.slots.dropFirst() {
            driver.change {
                $0.receivedFrame(AgentDriver.resumeState(), slot: place.slot, from: place.connection, now: $1)
            }
        }
        let offered = driver.read().compactMap { action -> (ConnectionID, PartNumber)? in
            if case .send(let id, _, .partOffer(let offer)) = action { (id, offer.part) } else { nil }
        }
        let (id, part) = try #require(offered.first)
        let other = try #require(driver.slots.first { $0.connection != id })
        let report = ErrorReport(scope: .part(part), code: .storeRefuses, retryAfterMilliseconds: 0, message: "")
        driver.change { $0.receivedFrame(.error(report), slot: other.slot, from: other.connection, now: $1) }
        driver.commit()
        #expect(driver.outcomes.isEmpty)
    }
}
