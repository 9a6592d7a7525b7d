import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Edge cases of the gateway's answers to HELLO, SESSION OPEN, RESUME QUERY and PART LIST (specification §5, §6.3,
/// §8.1, §8.4).
@Suite struct BeginningRuleTests {
    /// The object's metadata carries the id of the session that the agent opens, so an earlier connection has completed
    /// this session. The gateway answers COMPLETED, even with the write condition *any*, which would allow replacing
    /// the object.
    @Test func onePartSessionWithAnObjectIsCompleted() {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400, condition: .any, compares: false)))
        let told = frames(driver.answer(.object(GatewayDriver.object(size: 400))))
        #expect(told.map(\.type) == [.completed])
    }

    @Test func onePartSessionThatReplacesIsOpened() {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400, condition: .any, compares: false)))
        let told = frames(driver.answer(.object(GatewayDriver.object(size: 400, session: SessionID(high: 8, low: 8)))))
        #expect(told.map(\.type) == [.sessionOpened])
    }

    /// Unlike SESSION OPEN, RESUME QUERY cannot ask the gateway to compare the file with an object under the key. If
    /// the session may replace that object, the gateway resumes the session; otherwise it answers SESSION EXISTS.
    @Test(arguments: [WriteCondition.any, .absent])
    func aQueryOfAOnePartSessionComparesNothing(condition: WriteCondition) {
        var driver = GatewayDriver()
        driver.connect()
        let token = GatewayDriver.token(size: 400, upload: "", condition: condition)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)))
        let told = frames(driver.answer(.object(GatewayDriver.object(size: 400, session: SessionID(high: 8, low: 8)))))
        #expect(told.map(\.type) == [condition == .any ? .resumeState : .sessionExists])
    }

    @Test func aHelloIsAnsweredWithDraining() {
        var driver = GatewayDriver()
        driver.change { $0.accepted(GatewayDriver.connection, now: $1) }
        driver.change { $0.drain(within: .seconds(5), now: $1) }
        let told = frames(driver.frame(.hello(GatewayDriver.hello()), slot: .connection))
        let codes = told.map { if case .error(let report) = $0 { report.code } else { nil as ErrorCode? } }
        #expect(codes == [.draining])
        #expect(driver.machine.connectionCount == 0)
    }

    @Test func newerRunFencesTheOlderWhileDraining() {
        var driver = GatewayDriver()
        driver.connect()
        let next = driver.newConnection()
        driver.change { $0.accepted(next, now: $1) }
        driver.change { $0.drain(within: .seconds(5), now: $1) }
        let told = driver.frame(.hello(GatewayDriver.hello(run: 2)), slot: .connection, from: next)
        #expect(Self.codes(told) == [.fenced, .draining])
        #expect(driver.machine.connectionCount == 0)
    }

    /// The gateway enforces the part limit of its WELCOME, not the store's own limit.
    @Test(arguments: [true, false])
    func listsFollowTheLimitsOfWelcome(isQuery: Bool) throws {
        var driver = GatewayDriver { $0.budgetBytesPerDevice = 192 * 4 * 5 }
        let told = frames(driver.connect())
        guard case .welcome(let welcome)? = told.first else {
            Issue.record("\(told)")
            return
        }
        #expect(welcome.partsMax == 5)
        if isQuery {
            let query = ResumeQuery(listedParts: 6, token: GatewayDriver.token())
            #expect(Self.codes(driver.frame(.resumeQuery(query))) == [.badValue])
        } else {
            driver.openParts(size: 2_500)
            let entries = GatewayDriver.entries(of: 6_000)
            #expect(Self.codes(driver.frame(.partList(PartList(entries: entries, isLast: true)))) == [.badValue])
        }
    }

    private static func codes(_ actions: [GatewayAction]) -> [ErrorCode] {
        frames(actions).compactMap { if case .error(let report) = $0 { report.code } else { nil } }
    }
}
