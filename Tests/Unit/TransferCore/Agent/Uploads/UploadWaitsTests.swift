import SeededRandom
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct UploadWaitsTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let busy = GatewayRefusal(.busy)

    private static var clock: AgentClock {
        AgentClock(
            policy: RetryPolicy(first: .seconds(1), longest: .seconds(60)),
            generator: SeededGenerator(seed: 1),
            now: now)
    }

    @Test func eachFailureInARowMakesTheNextWaitLonger() {
        var (waits, clock) = (UploadWaits(), Self.clock)
        for ceiling in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
            let end = waits.refused(Self.busy, listsParts: false, &clock)
            #expect(end >= Self.now + .seconds(ceiling) / 2 && end <= Self.now + .seconds(ceiling))
        }
        #expect(waits.failures == 8 && waits.trouble == Self.busy.failure)
    }

    @Test func aStoredPartEndsTheRow() {
        var (waits, clock) = (UploadWaits(), Self.clock)
        for _ in 0..<5 { _ = waits.refused(Self.busy, listsParts: false, &clock) }
        waits.partStored(othersAreWell: false)
        #expect(waits.failures == 0 && waits.trouble == Self.busy.failure)
        waits.partStored(othersAreWell: true)
        #expect(waits.trouble == nil)
        let end = waits.lostAnswer(&clock)
        #expect(end <= Self.now + .seconds(1))
    }

    /// No part of a one-part file is stored before the file ends. So data that arrives at the gateway already sets the
    /// count of failures to zero.
    @Test func dataThatArrivesEndsTheRow() {
        var (waits, clock) = (UploadWaits(), Self.clock)
        for _ in 0..<5 { _ = waits.refused(Self.busy, listsParts: false, &clock) }
        waits.partArrived()
        #expect(waits.failures == 0 && waits.trouble == Self.busy.failure)
    }

    @Test func theAgentWaitsAtLeastAsLongAsTheGatewayAdvises() {
        var (waits, clock) = (UploadWaits(), Self.clock)
        let refusal = GatewayRefusal(.busy, adviceMilliseconds: 40_000)
        let end = waits.refused(refusal, listsParts: false, &clock)
        #expect(end == Self.now + .seconds(40))
        waits.lostSlot(adviceMilliseconds: 50_000, &clock)
        #expect(waits.joinsAt == Self.now + .seconds(50) && waits.failures == 2)
    }

    /// The refusal says when the gateway will try the store again, so the agent's own back-off need not grow. But a
    /// query with a list of parts is costly to repeat, so its back-off grows as usual.
    @Test func onlyAShortRequestIsRepeatedAsTheGatewayAdvises() {
        let refusal = GatewayRefusal(.storeUnavailable, adviceMilliseconds: 100)
        for listsParts in [false, true] {
            var (waits, clock) = (UploadWaits(), Self.clock)
            for _ in 0..<9 { _ = waits.refused(refusal, listsParts: listsParts, &clock) }
            let end = waits.refused(refusal, listsParts: listsParts, &clock)
            #expect((end >= Self.now + .seconds(30)) == listsParts)
            #expect((end <= Self.now + .seconds(4)) != listsParts)
        }
    }

    @Test func onlyAWaitForTheStoreEndsWithTheOutage() {
        var (waits, clock) = (UploadWaits(), Self.clock)
        var end = waits.refused(GatewayRefusal(.storeFull), listsParts: false, &clock)
        #expect(waits.isForStore(until: end) && !waits.isForStore(until: end + .seconds(1)))
        end = waits.refused(Self.busy, listsParts: false, &clock)
        #expect(!waits.isForStore(until: end))
    }

    @Test func aFailedPartWaitsByItsOwnCount() {
        var (waits, clock) = (UploadWaits(), Self.clock)
        let moment = waits.partFailed(GatewayRefusal(.busy, message: "of the part"), count: 3, &clock)
        #expect(moment >= Self.now + .seconds(2) && moment <= Self.now + .seconds(4))
        #expect(waits.failures == 0 && waits.trouble == Self.busy.failure)
    }

    @Test func onlyARepeatedComparisonDelaysTheReplacement() {
        var (waits, clock) = (UploadWaits(), Self.clock)
        let first = waits.replacement(&clock)
        #expect(first == Self.now)
        waits.comparedLate()
        let second = waits.replacement(&clock)
        #expect(second >= Self.now + .milliseconds(500))
    }
}
