import Foundation
import S3Store
import Testing

@Suite struct TimeTests {
    private static let second: TimeInterval = 784_111_777

    @Test(arguments: [
        (1_369_353_600.0, "20130524T000000Z"), (1_440_938_160.9, "20150830T123600Z"), (0, "19700101T000000Z"),
        (951_782_400, "20000229T000000Z"), (1_709_251_199, "20240229T235959Z"), (-1, "19700101T000000Z"),
        (1e300, "19700101T000000Z"), (4_102_444_800, "21000101T000000Z"),
    ])
    func writesTimestampsAndNeverTraps(seconds: Double, timestamp: String) {
        #expect(S3Time.timestamp(Date(timeIntervalSince1970: seconds)) == timestamp)
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", second), ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 +0000", second),
        ("Sun, 06 Nov 1994 08:49:37 UTC", second), ("Sun, 06 Nov 1994 08:49:37", second),
        ("Sun, 06 Nov 1994 10:49:37 +0200", second), ("Sun, 06 Nov 1994 07:19:37 -01:30", second),
        ("Sun,  6 Nov 1994 08:49:37 GMT", second), ("6 Nov 1994 08:49:37 GMT", second),
    ])
    func readsDatesOfHeaders(text: String, seconds: TimeInterval) {
        #expect(S3Time.date(header: text)?.timeIntervalSince1970 == seconds)
    }

    @Test(arguments: [
        "Sunday, 06-Nov-94 08:49:37 GMT", "", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 +99", "Sun, 06 Nov 1994 08:49:37 GMT+1", "Sun, 06 Nov 1994", "Sun, ",
    ])
    func otherTextsAreNotDatesOfHeaders(text: String) {
        #expect(S3Time.date(header: text) == nil)
    }

    @Test(arguments: [
        ("2009-10-12T17:50:30.000Z", 1_255_369_830.0), ("2009-10-12T17:50:30Z", 1_255_369_830),
        ("1970-01-01T00:00:00.25Z", 0.25), ("1970-01-01T00:00:00.0625Z", 0.0625), ("1970-01-01T00:00:00,5Z", 0.5),
        ("2009-10-12T17:50:30", 1_255_369_830), ("2009-10-12 17:50:30", 1_255_369_830),
        ("2009-10-12T17:50:30+00:00", 1_255_369_830), ("2009-10-12T19:50:30.000+0200", 1_255_369_830),
        ("2009-10-12T12:20:30-05:30", 1_255_369_830), ("2009-10-12T19:50:30+02", 1_255_369_830),
        ("2009-10-12 17:50:30.000 UTC", 1_255_369_830), ("2009-10-12 17:50:30 +0000", 1_255_369_830),
        ("20091012T175030Z", 1_255_369_830), ("2016-12-31T23:59:60Z", 1_483_228_800),
    ])
    func readsDatesOfDocuments(text: String, seconds: TimeInterval) {
        #expect(S3Time.date(xml: text)?.timeIntervalSince1970 == seconds)
    }

    @Test(arguments: [
        "2009-13-12T17:50:30Z", "2009-00-12T17:50:30Z", "Z", "2009-10-12T17:50:30.1e9Z", "2009-10-12T17:50:30.Z",
        "2009-10-12", "2009-10-12T17:50", "2009-10-12T17:50:30+", "2009-10-12T17:50:30Zulu", "1255369830", "",
        "2009-10-12T17:50:30Z and more", "2009-10-12T25:50:30Z",
    ])
    func otherTextsAreNotDatesOfDocuments(text: String) {
        #expect(S3Time.date(xml: text) == nil)
    }
}
