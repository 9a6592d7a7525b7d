#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Tells systemd how the service is doing, by datagrams to the socket that the variable NOTIFY_SOCKET names
/// (`sd_notify(3)`). Without the variable it does nothing.
///
/// A datagram that cannot be sent is not an error of the service: systemd then acts on its own time limits.
package struct SystemdNotifier: Sendable {
    /// A message to systemd.
    package enum Message: Equatable, Sendable {
        /// The service has begun its work, or has ended a reload.
        case ready
        /// What the service is doing, in a sentence for `systemctl status`.
        case status(String)
        case reloading
        case stopping
        /// The service is alive. Send it twice in each `watchdogInterval`.
        case watchdog
    }

    private let address: [UInt8]?

    /// How often systemd expects `watchdog`; `nil` if it does not.
    package let watchdogInterval: Duration?

    /// - Parameter environment: the variables of the process.
    package init(environment: [String: String]) {
        address = environment["NOTIFY_SOCKET"].flatMap { Self.address(Array($0.utf8)) }
        let isForThisProcess = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        let microseconds = isForThisProcess ? environment["WATCHDOG_USEC"].flatMap { UInt32($0) } ?? 0 : 0
        watchdogInterval = address != nil && microseconds > 0 ? .microseconds(Int64(microseconds)) : nil
    }

    /// Sends a message. Never waits: a datagram that the socket does not take at once is lost.
    package func send(_ message: Message) {
        guard let address else { return }
        let text = Array(Self.text(of: message).utf8)
        let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return }
        defer { close(socket) }
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: address) }
        // The length of the address counts only its own bytes: an abstract name may contain zero bytes, so the kernel
        // would take the rest of the array for a part of it.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count)
        withUnsafePointer(to: &place) { place in
            place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
                _ = sendto(socket, text, text.count, Int32(MSG_DONTWAIT.rawValue | MSG_NOSIGNAL.rawValue), place, length)
            }
        }
    }

    /// The message as systemd reads it: an assignment on each line.
    package static func text(of message: Message) -> String {
        switch message {
        case .ready: return "READY=1"
        case .status(let sentence): return "STATUS=\(sentence.filter { !$0.isNewline })"
        case .reloading:
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
            return "RELOADING=1\nMONOTONIC_USEC=\(microseconds)"
        case .stopping: return "STOPPING=1"
        case .watchdog: return "WATCHDOG=1"
        }
    }

    /// The bytes for `sun_path`; `nil` if systemd names something that is no socket of this kind. A name that begins
    /// with `@` is an abstract one: a zero byte takes the place of the `@`.
    private static func address(_ name: [UInt8]) -> [UInt8]? {
        guard let first = name.first, name.count > 1, name.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        else { return nil }
        switch first {
        case UInt8(ascii: "@"): return [0] + name.dropFirst()
        // The kernel ends a path at its first zero byte.
        case UInt8(ascii: "/"): return name + [0]
        default: return nil
        }
    }
}
