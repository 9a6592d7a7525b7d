import FoundationEssentials
import NIOCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The congestion control that the kernel uses for the data of a connection.
///
/// The default of most systems treats each lost packet as a sign that the link is full: with 100 ms round trip and 1 %
/// loss it sends less than 2 Mbit/s on any link. BBR measures the link instead. On short paths BBR gains nothing, and
/// its pacing costs processor time.
package enum CongestionControl {
    /// Shortest round trip for which BBR is chosen: paths with longer round trips usually cross networks that lose
    /// packets.
    private static let roundTripMin = Duration.milliseconds(5)

    /// `bbr` as the kernel reads it, in the four bytes of an option's value.
    private static let bbr = CInt(bigEndian: 0x6262_7200)

    /// Chooses by the round trip that the kernel measured while it connected. If the kernel has no BBR, or does not
    /// offer it to this user, its default stays in use.
    static func choose(for channel: any Channel) {
        guard let options = channel as? any SocketOptionProvider else { return }
        options.getTCPInfo().whenSuccess { info in
            guard .microseconds(Int(info.tcpi_rtt)) >= roundTripMin else { return }
            _ = options.unsafeSetSocketOption(
                level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_CONGESTION), value: bbr)
        }
    }

    /// The kernel's smoothed round trip of a connection; `nil` if the channel has no socket.
    static func roundTrip(of channel: any Channel) async throws -> Duration? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        return .microseconds(Int(try await options.getTCPInfo().get().tcpi_rtt))
    }

    /// Whether this process may choose BBR: it is in the kernel's list for all users, or the process runs as root.
    package static var isOffered: Bool {
        let list = getuid() == 0 ? "available" : "allowed"
        let path = "/proc/sys/net/ipv4/tcp_\(list)_congestion_control"
        // A system without the list offers no BBR.
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
        return text.split(whereSeparator: \.isWhitespace).contains("bbr")
    }
}
