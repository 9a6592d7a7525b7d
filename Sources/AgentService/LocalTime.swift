#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The time of day where the device is.
enum LocalTime {
    /// No agent of this version ran before this moment (2025-01-01), so a clock that shows an earlier one is not set.
    private static let earliest: Int64 = 1_735_689_600

    /// Whether the clock can be right.
    static func isSet(_ utc: Int64) -> Bool { utc >= earliest }

    /// The offset of local time from UTC in seconds at a moment, which summer time changes.
    static func offset(at utc: Int64) -> Int64 {
        var moment = time_t(utc)
        var local = tm()
        guard localtime_r(&moment, &local) != nil else { return 0 }
        return Int64(local.tm_gmtoff)
    }
}
