import FoundationEssentials

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A moment by a clock that nobody can set: milliseconds since the machine's start, sleep included.
package struct BootMoment: Equatable, Sendable {
    /// Which start of the machine it was.
    package var boot: String
    package var milliseconds: Int64

    package init(boot: String, milliseconds: Int64) {
        self.boot = boot
        self.milliseconds = milliseconds
    }

    package static var now: BootMoment {
        var time = timespec()
        guard clock_gettime(CLOCK_BOOTTIME, &time) == 0 else { return BootMoment(boot: currentBoot, milliseconds: 0) }
        return BootMoment(
            boot: currentBoot, milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// A number of its own for each process where the kernel does not tell: then nothing counts over its end.
    private static let currentBoot: String = {
        // A kernel or sandbox without the file has no better name for its start.
        let data = try? Data(contentsOf: URL(filePath: "/proc/sys/kernel/random/boot_id"))
        let boot = data.map { String(decoding: $0, as: UTF8.self) } ?? UUID().uuidString
        return String(boot.prefix { !$0.isWhitespace })
    }()

    /// The time from an earlier moment to this one; zero where that cannot be told.
    package func since(_ earlier: BootMoment) -> Duration {
        guard earlier.boot == boot, earlier.milliseconds <= milliseconds else { return .zero }
        let (passed, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return overflow ? .zero : .milliseconds(passed)
    }
}
