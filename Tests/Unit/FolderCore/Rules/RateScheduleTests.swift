import FolderCore
import Testing

@Suite struct RateScheduleTests {
    /// Central Europe in 2024: summer time from 31 March 01:00 UTC to 27 October 01:00 UTC.
    private static func berlin(_ utc: Int64) -> Int64 { (1_711_846_800..<1_729_990_800).contains(utc) ? 7_200 : 3_600 }

    private static let night = RateSchedule(windows: [.init(from: 22 * 60, to: 6 * 60, rate: nil)], otherwise: 0)

    /// 2024-01-10 12:00 UTC, a Wednesday.
    private static let noon: Int64 = 1_704_888_000

    @Test func anOvernightWindowOpensAndCloses() {
        let closed = Self.night.decision(utc: Self.noon) { _ in 0 }
        #expect(closed.rate == 0 && closed.reason == "the schedule allows no sending until 22:00")
        #expect(closed.changesAt == Self.noon + 10 * 3_600)
        let open = Self.night.decision(utc: Self.noon + 14 * 3_600) { _ in 0 }
        #expect(open.rate == nil && open.changesAt == Self.noon + 18 * 3_600)
    }

    @Test func aWindowBelongsToTheDayOnWhichItBegins() {
        // 22:00 to 06:00, only on Wednesdays.
        let schedule = RateSchedule(windows: [.init(from: 1_320, to: 360, days: [2], rate: 5)], otherwise: 0)
        #expect(schedule.decision(utc: Self.noon + 16 * 3_600) { _ in 0 }.rate == 5)
        #expect(schedule.decision(utc: Self.noon - 8 * 3_600) { _ in 0 }.rate == 0)
        #expect(
            schedule.decision(utc: Self.noon + 24 * 3_600) { _ in 0 }.changesAt == Self.noon + (7 * 24 + 10) * 3_600)
    }

    @Test func localTimeFollowsSummerTime() {
        // On 30 March 22:00 is at 21:00 UTC; 06:00 of the next day is at 04:00 UTC, because the clock is put forward.
        let evening = Self.night.decision(utc: 1_711_828_800, offset: Self.berlin)
        #expect(evening.rate == 0 && evening.changesAt == 1_711_832_400)
        let open = Self.night.decision(utc: 1_711_832_400, offset: Self.berlin)
        #expect(open.rate == nil && open.changesAt == 1_711_857_600)
    }

    @Test func aChangeOfTheOffsetMayChangeTheRate() {
        // The window begins at 02:30, which does not exist on 31 March: it begins when the clock is put forward.
        let schedule = RateSchedule(windows: [.init(from: 150, to: 240, rate: 7)], otherwise: 0)
        let before = schedule.decision(utc: 1_711_843_200, offset: Self.berlin)
        #expect(before.rate == 0 && before.changesAt == 1_711_846_800)
        #expect(schedule.decision(utc: 1_711_846_800, offset: Self.berlin).rate == 7)
    }

    @Test func withoutAClockTheLowestRateThatSendsApplies() {
        let schedule = RateSchedule(
            windows: [.init(from: 0, to: 60, rate: 0), .init(from: 60, to: 120, rate: 500)], otherwise: 100)
        let decision = schedule.decision(utc: nil) { _ in 0 }
        #expect(decision.rate == 100)
        #expect(decision.reason == "the clock is not set, so the lowest rate of the schedule applies")
        #expect(Self.night.decision(utc: nil) { _ in 0 }.rate == nil)
    }

    @Test(arguments: [Int64.min, .max])
    func anyTimeHasADecision(_ utc: Int64) {
        #expect(Self.night.decision(utc: utc) { _ in .max }.changesAt != nil)
    }

    @Test func noScheduleIsNoLimit() {
        #expect(RateSchedule().decision(utc: nil) { _ in 0 } == .unlimited)
        #expect(RateSchedule(otherwise: 9).decision(utc: 0) { _ in 0 }.rate == 9)
    }
}
