import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// How many parts the agent sends at once, before and after a cut.
@Suite struct SendWindowTests {
    private let part = PartNumber(7)

    @Test func nothingIsBoundedBeforeACut() throws {
        let part = try #require(part)
        #expect(SendWindow().admits(part, beside: 1_000))
    }

    @Test func windowGrowsSlowlyAfterACut() throws {
        let part = try #require(part)
        var window = SendWindow()
        window.shrink()
        var stored = 0
        for allowed in 1...3 {
            for _ in 0..<allowed {
                #expect(window.partsMax == allowed, "after \(stored)")
                #expect(window.admits(part, beside: allowed - 1) && !window.admits(part, beside: allowed))
                window.grow(roomMax: 4)
                stored += 1
            }
        }
        #expect(window.partsMax == nil && window.admits(part, beside: 1_000))
        window.grow(roomMax: 4)
        #expect(window.partsMax == nil)
    }

    @Test func partialsAreOfferedAtOnce() throws {
        let (part, other) = (try #require(part), try #require(PartNumber(8)))
        var window = SendWindow()
        window.shrink()
        window.known = [part]
        #expect(window.admits(part, beside: 9) && !window.admits(other, beside: 9))
        window.shrink()
        #expect(!window.admits(part, beside: 9))
    }

    @Test func aNewSessionForgetsWhatGatewaysHold() throws {
        let (part, other) = (try #require(part), try #require(PartNumber(8)))
        var window = SendWindow()
        window.shrink()
        window.known = [part, other]
        window.sessionBegins()
        #expect(!window.admits(part, beside: 1) && window.partsMax == 1)
    }

    /// In the lost session a gateway holds the beginning of part 1, so the agent waits for a decision before it sends
    /// data of the part. In the new session no gateway holds any bytes, so the agent sends data before the decision.
    @Test func dataGoesEarlyInANewSession() throws {
        let part = try #require(PartNumber(1))
        let partial = PartialPart(part: part, digest: ToyDigest.sha256([1]), offset: 10, limit: 20)
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 0))
        driver.welcome()
        driver.frame(
            .resumeState(
                ResumeState(
                    phase: .ongoing, partBytes: 1_000, candidateParts: 0, partials: [partial], wanted: [],
                    token: [4, 5])))
        driver.frame(
            .error(ErrorReport(scope: .session, code: .sessionLost, retryAfterMilliseconds: 0, message: "")))
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        #expect(driver.reads.first == part)
        driver.read()
        #expect(driver.chunks.first?.part == part)
    }

    /// Each connection is cut after two and a half parts. The next connection leads to another gateway, which has none
    /// of the unfinished parts. If the agent sent four parts at once, the parts would share the connection, and none of
    /// them would arrive whole.
    @Test func changingGatewaysResendsLittle() {
        var options = PairOptions()
        options.gateways = 2
        options.linkBytesPerSecond = 50_000
        let pair = Pair(options)
        pair.cuts = (1...100).map { Cut(.toGateway, after: $0 * 20) }
        var connections = 0
        pair.route = {
            connections += 1
            return connections % 2
        }
        let size: UInt64 = 60_000
        let upload = pair.push(bytes: Int(size), partBytes: 2_000)
        pair.run()
        pair.checkStored(upload)
        let sent = pair.chunkTimes.reduce(0) { $0 + $1.wireBytes }
        #expect(sent < size * 2, "\(sent) bytes in \(connections) connections")
        pair.rest()
        #expect(pair.violations == [])
    }
}
