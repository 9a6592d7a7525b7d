import Foundation
import SystemSupport
import Testing

/// Tests of the offset of local time. They do not change the time zone, because other tests of the process read it.
@Suite struct LocalTimeTests {
    @Test(arguments: [0, 1_700_000_000, 1_711_846_800, 1_729_990_800, 4_000_000_000] as [Int64])
    func offsetIsThatOfTheComputersTimeZone(utc: Int64) {
        let expected = TimeZone.current.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(utc)))
        #expect(LocalTime().offset(at: utc) == Int64(expected))
    }

    /// No year is too large: the offset is 0 where the C library has none.
    @Test(arguments: [Int64.min, Int64.max])
    func everyMomentHasAnOffset(utc: Int64) {
        #expect(LocalTime().offset(at: utc) == 0)
    }
}
