import FoundationEssentials
import NIOCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Which congestion control the kernel uses for what a connection sends.
///
/// Most systems use one that takes each lost packet for a sign that the link is full: over 100 ms with one packet in a
/// hundred lost it sends less than 2 Mbit/s, whatever the link could carry. BBR measures the link instead. On short
/// paths there is nothing to win, and its pacing costs processor time.
package enum CongestionControl {
    /// A path this long goes through networks that lose packets.
    private static let roundTripMin = Duration.milliseconds(5)

    /// `bbr` as the kernel reads it, in the four bytes of an option's value.
    private static let bbr = CInt(bigEndian: 0x6262_7200)

    /// Chooses by the round trip that the kernel measured while it connected. A kernel that has no BBR, or keeps it
    /// from this user, goes on as it is.
    static func choose(for channel: any Channel) {
        guard let options = channel as? any SocketOptionProvider else { return }
        options.getTCPInfo().whenSuccess { info in
            guard .microseconds(Int(info.tcpi_rtt)) >= roundTripMin else { return }
            _ = options.unsafeSetSocketOption(
                level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_CONGESTION), value: bbr)
        }
    }

    /// The smoothed round trip of a connection, as the kernel has it now; `nil` where the channel has no socket.
    static func roundTrip(of channel: any Channel) async throws -> Duration? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        return .microseconds(Int(try await options.getTCPInfo().get().tcpi_rtt))
    }

    /// Whether this process may have BBR, as the kernel's list of what any user may choose says, or root.
    package static var isOffered: Bool {
        let list = getuid() == 0 ? "available" : "allowed"
        let path = "/proc/sys/net/ipv4/tcp_\(list)_congestion_control"
        // A system without the list offers nothing.
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
        return text.split(whereSeparator: \.isWhitespace).contains("bbr")
    }
}
