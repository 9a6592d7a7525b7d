import NIOCore
import NIOEmbedded
import SystemSupport
import TestSupport
import Testing
import TransferCommon

/// The timer fires at the deadline or earlier. If the deadline only moves to later times, the timer is set only once.
@Suite struct DeadlineTimerTests {
    /// A timer on an event loop whose time the test sets.
    private final class Bench {
        let eventLoop = EmbeddedEventLoop()
        var timer = DeadlineTimer()
        var now = Instant(nanoseconds: 0)
        let fired = Watched(0)

        func arm(_ milliseconds: Int64?) {
            let deadline = milliseconds.map { Instant(nanoseconds: 0) + .milliseconds($0) }
            timer.arm(for: deadline, now: now, on: eventLoop) { [fired] in fired.update { $0 += 1 } }
        }

        /// - Returns: how often the timer fired.
        func advance(to milliseconds: Int64) -> Int {
            let moment = Instant(nanoseconds: 0) + .milliseconds(milliseconds)
            eventLoop.advanceTime(by: TimeAmount(moment.since(now)))
            now = moment
            let count = fired.current
            fired.update { $0 = 0 }
            return count
        }
    }

    @Test func firesAtTheDeadline() {
        let bench = Bench()
        bench.arm(50)
        #expect(bench.advance(to: 49) == 0)
        #expect(bench.advance(to: 50) == 1)
        #expect(bench.advance(to: 500) == 0)
    }

    @Test func anEarlierDeadlineReplacesALaterOne() {
        let bench = Bench()
        bench.arm(50)
        bench.arm(20)
        #expect(bench.advance(to: 20) == 1)
        #expect(bench.advance(to: 50) == 0)
    }

    @Test func aLaterDeadlineLeavesTheTimerAsItIs() {
        let bench = Bench()
        bench.arm(20)
        bench.arm(50)
        #expect(bench.advance(to: 20) == 1)
        bench.timer.fired()
        bench.arm(50)
        #expect(bench.advance(to: 50) == 1)
    }

    @Test func noDeadlineLeavesTheTimerAsItIs() {
        let bench = Bench()
        bench.arm(nil)
        #expect(bench.advance(to: 10) == 0)
        bench.arm(20)
        bench.arm(nil)
        #expect(bench.advance(to: 20) == 1)
    }

    /// A machine with a passed deadline must not keep the event loop busy.
    @Test func aPassedDeadlineFiresAfterAMillisecond() {
        let bench = Bench()
        _ = bench.advance(to: 100)
        bench.arm(10)
        #expect(bench.advance(to: 100) == 0)
        #expect(bench.advance(to: 101) == 1)
    }

    /// A busy shell sets the timer again after each event, more often than once in a millisecond.
    @Test func eventsDoNotPostponeAPassedDeadline() {
        let bench = Bench()
        _ = bench.advance(to: 100)
        bench.arm(10)
        bench.now = bench.now + .microseconds(900)
        bench.eventLoop.advanceTime(by: .microseconds(900))
        bench.arm(10)
        #expect(bench.advance(to: 101) == 1)
    }

    @Test func theLastPossibleDeadlineDoesNotTrap() {
        let bench = Bench()
        bench.timer.arm(for: Instant(nanoseconds: .max), now: bench.now, on: bench.eventLoop) {}
        bench.arm(10)
        #expect(bench.advance(to: 10) == 1)
    }

    @Test func aCancelledTimerDoesNotFire() {
        let bench = Bench()
        bench.arm(10)
        bench.timer.cancel()
        #expect(bench.advance(to: 10) == 0)
    }
}
