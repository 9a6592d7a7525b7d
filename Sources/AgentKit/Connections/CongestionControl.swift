import FoundationEssentials
import NIOCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The congestion control that the kernel uses for the data of a connection.
///
/// The default algorithm of most systems takes each lost packet as a sign that the link is full. With a round trip of
/// 100 ms and 1 % loss it sends less than 2 Mbit/s, however fast the link is. BBR measures the link instead. On short
/// paths BBR gains nothing, and its pacing costs processor time.
package enum CongestionControl {
    /// Shortest round trip for which BBR is chosen. Paths with a longer round trip may cross networks that lose
    /// packets.
    private static let roundTripMin = Duration.milliseconds(5)

    /// The text `bbr` and a zero byte, packed into the four bytes of an integer option: the kernel reads the name from
    /// there.
    private static let bbr = CInt(bigEndian: 0x6262_7200)

    /// Chooses the algorithm by the round trip that the kernel measured while it connected. If the kernel has no BBR,
    /// or does not offer BBR to this user, the kernel's default stays in use.
    static func choose(for channel: any Channel) {
        guard let options = channel as? any SocketOptionProvider else { return }
        options.getTCPInfo().whenSuccess { info in
            guard .microseconds(Int(info.tcpi_rtt)) >= roundTripMin else { return }
            _ = options.unsafeSetSocketOption(
                level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_CONGESTION), value: bbr)
        }
    }

    /// The round trip of a connection, as the kernel has measured and smoothed it; `nil` if the channel has no socket.
    static func roundTrip(of channel: any Channel) async throws -> Duration? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        return .microseconds(Int(try await options.getTCPInfo().get().tcpi_rtt))
    }

    /// Whether this process may choose BBR. The kernel has one list of algorithms that every user may choose, and one
    /// of all algorithms, which root may choose.
    package static var isOffered: Bool {
        let list = getuid() == 0 ? "available" : "allowed"
        let path = "/proc/sys/net/ipv4/tcp_\(list)_congestion_control"
        // A system without the list offers no BBR.
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
        return text.split(whereSeparator: \.isWhitespace).contains("bbr")
    }
}
