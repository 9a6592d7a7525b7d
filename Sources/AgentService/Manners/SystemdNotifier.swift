import SystemSupport

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
        _ = LocalSocket.send(Array(Self.text(of: message).utf8), to: address)
    }

    /// The message as systemd reads it: an assignment on each line.
    package static func text(of message: Message) -> String {
        switch message {
        case .ready: return "READY=1"
        case .status(let sentence):
            // A line feed would begin the next assignment.
            return "STATUS=" + String(sentence.map { $0.isNewline ? " " : $0 })
        case .reloading:
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
            return "RELOADING=1\nMONOTONIC_USEC=\(microseconds)"
        case .stopping: return "STOPPING=1"
        case .watchdog: return "WATCHDOG=1"
        }
    }

    /// The name of the socket; `nil` if the variable names something that is no socket of this kind. A name that begins
    /// with `@` is an abstract one: a zero byte takes the place of the `@`.
    private static func address(_ name: [UInt8]) -> [UInt8]? {
        guard name.count > 1 else { return nil }
        switch name[0] {
        case UInt8(ascii: "@"): return [0] + name.dropFirst()
        case UInt8(ascii: "/"): return name
        default: return nil
        }
    }
}
