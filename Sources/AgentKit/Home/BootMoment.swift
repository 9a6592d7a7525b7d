import FoundationEssentials
import SecureChannel
import SystemSupport

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A point in time on a clock that cannot be set. The clock counts milliseconds since boot, including the time in which
/// the computer sleeps.
package struct BootMoment: Equatable, Sendable {
    /// Identifies the boot from which the milliseconds count.
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

    /// The kernel's random ID of this boot; `nil` if the kernel does not provide it.
    static let kernelBoot: String? = {
        do {
            let name = try BoundedFile.read("/proc/sys/kernel/random/boot_id", bytesMax: 64, access: .anyone)
            return String(decoding: name.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
        } catch {
            // Some kernels and sandboxes have no such file.
            return nil
        }
    }()

    /// The kernel's ID, or else a random ID of this process. With a random ID, the times of two processes cannot be
    /// compared.
    private static let currentBoot = kernelBoot ?? UUID().uuidString

    /// The time since an earlier moment; zero if the two moments are from different boots, or if the earlier one is in
    /// fact the later.
    package func since(_ earlier: BootMoment) -> Duration {
        guard earlier.boot == boot, earlier.milliseconds <= milliseconds else { return .zero }
        let (passed, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return overflow ? .zero : .milliseconds(passed)
    }
}
