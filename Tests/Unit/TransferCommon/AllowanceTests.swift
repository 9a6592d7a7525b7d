import Testing
import TransferCommon

/// An allowance permits a burst, and then a fixed number a second.
@Suite struct AllowanceTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    private func taken(_ allowance: inout Allowance, now: Instant) -> Int {
        var count = 0
        while count < 100_000, allowance.take(now: now) == nil { count += 1 }
        return count
    }

    @Test(arguments: [(1, 1), (3, 2), (100, 7), (2_048, 100), (10_000, 20_000)] as [(UInt64, UInt64)])
    func limitsBurstAndRate(atOnce: UInt64, perSecond: UInt64) {
        var allowance = Allowance(atOnce: atOnce, perSecond: perSecond)
        #expect(taken(&allowance, now: start) == Int(atOnce))
        // The refill after one second does not depend on how many times the allowance was asked in that second. Even
        // after a long wait, the allowance holds no more than one burst.
        for step in 1...4 as ClosedRange<Int64> { _ = allowance.take(now: start + .milliseconds(step)) == nil }
        #expect(taken(&allowance, now: start + .seconds(1)) + 4 >= min(Int(atOnce), Int(perSecond)))
        #expect(taken(&allowance, now: start + .seconds(1_000_000)) == Int(atOnce))
    }

    @Test func tellsTheWaitForTheNext() {
        var allowance = Allowance(atOnce: 2, perSecond: 4)
        #expect(allowance.take(now: start) == nil)
        #expect(allowance.take(now: start) == nil)
        let wait = allowance.take(now: start)
        #expect(wait == .milliseconds(250))
        #expect(allowance.take(now: start + .milliseconds(249)) != nil)
        #expect(allowance.take(now: start + .milliseconds(250)) == nil)
    }

    @Test func advanceIsOwed() {
        var allowance = Allowance(atOnce: 2, perSecond: 4)
        #expect(
            (0..<4).map { _ in allowance.takeInAdvance(now: start) }.map(\.components.attoseconds) == [
                0, 0, 250_000_000_000_000_000, 500_000_000_000_000_000,
            ])
        #expect(allowance.take(now: start + .milliseconds(500)) != nil)
        #expect(allowance.take(now: start + .milliseconds(750)) == nil)
    }

    @Test func returnedOnesDoNotCount() {
        var allowance = Allowance(atOnce: 2, perSecond: 1)
        for _ in 0..<1_000 {
            #expect(allowance.take(now: start) == nil)
            allowance.giveBack()
        }
        // An allowance never holds more than its burst, however much is given back.
        for _ in 0..<10 { allowance.giveBack() }
        #expect(taken(&allowance, now: start) == 2)
    }

    @Test func isFullAfterItsRefill() {
        var allowance = Allowance(atOnce: 2, perSecond: 4)
        #expect(allowance.isFull(now: start))
        #expect(taken(&allowance, now: start) == 2)
        #expect(!allowance.isFull(now: start + .milliseconds(499)))
        #expect(allowance.isFull(now: start + .milliseconds(500)))
    }

    @Test(arguments: [0, 1, .max] as [UInt64], [0, 1, .max] as [UInt64])
    func anyNumbersAreAccepted(atOnce: UInt64, perSecond: UInt64) {
        var allowance = Allowance(atOnce: atOnce, perSecond: perSecond)
        for moment in [0, 1, .max] as [UInt64] {
            _ = allowance.take(now: Instant(nanoseconds: moment))
            _ = allowance.takeInAdvance(now: Instant(nanoseconds: moment))
            allowance.giveBack()
        }
    }

    @Test func slowBucketRegainsATokenAfterItsInterval() {
        var allowance = Allowance(atOnce: 3, interval: .seconds(6))
        #expect(taken(&allowance, now: start) == 3)
        #expect(allowance.take(now: start + .seconds(5)) == .seconds(1))
        #expect(taken(&allowance, now: start + .seconds(12)) == 2)
        #expect(taken(&allowance, now: start + .seconds(3_600)) == 3)
    }
}
