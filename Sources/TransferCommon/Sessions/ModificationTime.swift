/// A file's modification time as the device reports it. It distinguishes versions of the file. It is never compared
/// with the time of a clock.
package struct ModificationTime: Hashable, Sendable {
    /// Seconds since 1970-01-01 UTC by the device's clock.
    package let seconds: Int64
    /// Nanoseconds within the second: 0 to 999,999,999.
    package let nanoseconds: UInt32

    package init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}
