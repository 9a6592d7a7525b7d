import FoundationEssentials
import SecureChannel
import SystemSupport

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

    /// The kernel's own name for this start of the machine; `nil` where it does not tell.
    static let kernelBoot: String? = {
        do {
            let name = try BoundedFile.read("/proc/sys/kernel/random/boot_id", bytesMax: 64, access: .anyone)
            return String(decoding: name.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
        } catch {
            // A kernel or sandbox without the file.
            return nil
        }
    }()

    /// A name of its own for each process where the kernel does not tell: then nothing counts over its end.
    private static let currentBoot = kernelBoot ?? UUID().uuidString

    /// The time from an earlier moment to this one; zero where that cannot be told.
    package func since(_ earlier: BootMoment) -> Duration {
        guard earlier.boot == boot, earlier.milliseconds <= milliseconds else { return .zero }
        let (passed, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return overflow ? .zero : .milliseconds(passed)
    }
}
