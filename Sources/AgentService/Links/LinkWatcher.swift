package import FolderCore
import SystemSupport

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reports whether a network interface other than loopback is up, by the event `link`: once at the start, and then at
/// each change, which the kernel reports (netlink).
///
/// If the system does not let the process ask, the link counts as up, so that files are sent all the same. A service
/// whose gateway is on the same computer needs no link and starts no watcher.
package final class LinkWatcher: Sendable {
    /// An address of a network interface.
    package struct Address: Hashable, Sendable {
        /// The flags of the interface, as in `<net/if.h>`.
        package var flags: UInt32
        /// Whether it is an IPv4 or IPv6 address.
        package var isInternet: Bool

        package init(flags: UInt32, isInternet: Bool) {
            self.flags = flags
            self.isInternet = isInternet
        }

        // From <net/if.h>.
        private static let up: UInt32 = 0x1
        private static let loopback: UInt32 = 0x8
        private static let running: UInt32 = 0x40

        /// Whether the interface can carry packets to another computer.
        package var isUsable: Bool {
            isInternet && flags & (Self.up | Self.running) == Self.up | Self.running && flags & Self.loopback == 0
        }
    }

    private let thread: StoppableThread?

    /// Starts the thread of the watcher.
    ///
    /// - Parameter report: called on the thread of the watcher.
    package init(report: @escaping @Sendable (FolderEvent) -> Void) {
        thread = StoppableThread { stopEnd in Self.run(until: stopEnd, report) }
        if thread == nil { report(.link(isUp: true)) }
    }

    /// Ends the watching. A report that is being made at this moment may still arrive. Safe to repeat.
    package func stop() { thread?.stop() }

    /// Whether a network interface other than loopback is up now.
    package static func isUp() -> Bool {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return true }
        defer { freeifaddrs(first) }
        return sequence(first: first, next: { $0?.pointee.ifa_next }).contains { entry in
            guard let entry = entry?.pointee, let family = entry.ifa_addr?.pointee.sa_family else { return false }
            let isInternet = [AF_INET, AF_INET6].contains(Int32(family))
            return Address(flags: entry.ifa_flags, isInternet: isInternet).isUsable
        }
    }

    private static func run(until stopEnd: Int32, _ report: (FolderEvent) -> Void) {
        // The socket comes before the first look, so that no change falls between them.
        let changes = SystemCalls.openLinkReports()
        defer { if changes >= 0 { close(changes) } }
        // Without reports a link that comes up would not be noticed, so it counts as up.
        var isUp = changes < 0 || isUp()
        report(.link(isUp: isUp))
        while true {
            var polled = [
                pollfd(fd: stopEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: changes, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polled, 2, -1) > 0 else { continue }
            if polled[0].revents != 0 { return }
            drain(changes)
            let now = Self.isUp()
            guard now != isUp else { continue }
            isUp = now
            report(.link(isUp: now))
        }
    }

    /// Reads what the kernel has reported, also that it has dropped reports. What changed is looked up afterwards.
    private static func drain(_ changes: Int32) {
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while recv(changes, &buffer, buffer.count, 0) >= 0 || [ENOBUFS, EINTR].contains(errno) {}
    }
}
