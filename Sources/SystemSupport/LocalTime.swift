#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The time zone of this computer, or that of the variable `TZ`.
package struct LocalTime: Sendable {
    /// Reads which time zone holds now. A value that was made earlier may not notice that a person has chosen another
    /// one, so make a new value for each decision.
    package init() { tzset() }

    /// How many seconds local time is ahead of UTC at a moment.
    ///
    /// - Parameter utc: seconds since 1970. For a moment whose year no `Int32` holds, the offset is 0.
    package func offset(at utc: Int64) -> Int64 {
        var moment = time_t(clamping: utc)
        var local = tm()
        guard localtime_r(&moment, &local) != nil else { return 0 }
        return Int64(local.tm_gmtoff)
    }
}
