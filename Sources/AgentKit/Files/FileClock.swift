import FoundationEssentials
import SecureChannel
import SystemSupport
package import TransferCommon
import WireProtocol

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reads the device's clock, from which files get their change times. Gives a time only if that clock is known not to
/// have been set since the agent's first reading.
///
/// Users and time servers may set the device's clock, so a file that was written a second ago may have last year's
/// date. The clock that counts the time since boot is never set. The system adjusts the speed of both clocks together,
/// so their difference changes only when the device's clock is set. The first run after a boot stores the difference in
/// the agent's home. As long as a later run finds the same difference, the device's clock has not been set since.
package struct FileClock: Sendable {
    private struct Reading: Equatable {
        var boot: String
        /// Nanoseconds since boot.
        var age: Int64
        /// Nanoseconds since 1970 minus nanoseconds since boot.
        var difference: Int64
    }

    /// Tolerance, in nanoseconds, when two differences are compared. The two clocks cannot be read at the same instant,
    /// so each difference is inexact.
    private static let slack: Int64 = 100_000_000

    private let first: Reading?

    /// - Parameter path: path of the file that keeps the first reading.
    package init(path: String) {
        // Without the kernel's boot ID it is unknown whether a stored reading is from this boot, so there is no usable
        // reading.
        guard let boot = BootMoment.kernelBoot, let now = Self.read(boot) else {
            first = nil
            return
        }
        if let kept = Self.kept(path), Self.isSteady(from: kept, to: now) {
            first = kept
        } else {
            first = now
            // try?: if the file cannot be written, the next run starts with a new first reading and only has to wait
            // two more seconds.
            try? AtomicFile.write(
                Array("\(now.boot) \(now.age) \(now.difference)\n".utf8), to: path, mode: .ownerOnly)
        }
    }

    /// The clock's time. `nil` if the clock was set after the first reading, or if the first reading is less than
    /// `watchedMin` nanoseconds old.
    package func now() -> ModificationTime? {
        guard let first, let now = Self.read(first.boot), Self.isSteady(from: first, to: now),
            now.age - first.age >= Self.watchedMin
        else { return nil }
        let (time, overflow) = now.age.addingReportingOverflow(now.difference)
        guard !overflow, time >= 0 else { return nil }
        return ModificationTime(seconds: time / 1_000_000_000, nanoseconds: UInt32(time % 1_000_000_000))
    }

    /// Time, in nanoseconds, that must pass after the first reading before this clock gives a time. The date of a file
    /// that was written before the first reading may be wrong. After this time every such file is old enough to count
    /// as old (`FileSettling.oldSeconds`), whatever its date.
    private static let watchedMin: Int64 = 2_000_000_000

    private static func isSteady(from first: Reading, to now: Reading) -> Bool {
        let (change, overflow) = now.difference.subtractingReportingOverflow(first.difference)
        return first.boot == now.boot && first.age <= now.age && !overflow && change.magnitude <= slack.magnitude
    }

    private static func read(_ boot: String) -> Reading? {
        guard let age = nanoseconds(CLOCK_BOOTTIME), let time = nanoseconds(CLOCK_REALTIME) else { return nil }
        let (difference, overflow) = time.subtractingReportingOverflow(age)
        return overflow ? nil : Reading(boot: boot, age: age, difference: difference)
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64? {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return nil }
        let (scaled, tooLong) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = scaled.addingReportingOverflow(Int64(time.tv_nsec))
        return tooLong || overflow ? nil : sum
    }

    private static func kept(_ path: String) -> Reading? {
        do {
            let text = String(
                decoding: try BoundedFile.read(path, bytesMax: 256, access: .anyone), as: UTF8.self)
            let words = text.split(whereSeparator: \.isWhitespace)
            guard words.count == 3, let age = Int64(words[1]), let difference = Int64(words[2]) else { return nil }
            return Reading(boot: String(words[0]), age: age, difference: difference)
        } catch {
            // This is the first run in this home, or the file is unreadable: the caller makes a new first reading.
            return nil
        }
    }
}
