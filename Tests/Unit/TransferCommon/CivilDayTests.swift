import Testing
import TransferCommon

/// Tests of days in the Gregorian calendar.
@Suite struct CivilDayTests {
    @Test(
        arguments: [
            (0, 1970, 1, 1), (-1, 1969, 12, 31), (11_016, 2000, 2, 29), (11_017, 2000, 3, 1), (19_782, 2024, 2, 29),
            (-719_528, 0, 1, 1), (-719_529, -1, 12, 31), (2_932_896, 9999, 12, 31),
        ] as [(Int64, Int64, Int64, Int64)])
    func dayHasItsDate(days: Int64, year: Int64, month: Int64, day: Int64) {
        let date = CivilDay(year: year, month: month, day: day)
        #expect(CivilDay(daysSince1970: days) == date)
        #expect(date.daysSince1970 == days)
    }

    /// Seconds of 64 bits have this many days at most.
    @Test func farDaysDoNotTrap() {
        let farthest = [Int64.min / 86_400, Int64.max / 86_400]
        for days in farthest { #expect(CivilDay(daysSince1970: days).daysSince1970 == days) }
    }

    @Test(arguments: [(7, 2, 1), (-7, -3, 2), (-6, -2, 0), (0, 0, 0)] as [(Int64, Int64, Int64)])
    func flooredDivisionHasNoNegativeRest(number: Int64, quotient: Int64, rest: Int64) {
        let floored = number.floored(by: 3)
        #expect(floored.quotient == quotient && floored.rest == rest)
    }
}
