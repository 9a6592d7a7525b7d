import Foundation
import NIOCore

/// An IP address as bytes. A socket that accepts both families shows an IPv4 address as `::ffff:a.b.c.d`. This type
/// then has the four bytes of the IPv4 address.
struct IPAddress {
    /// The address as 4 bytes of IPv4 or 16 bytes of IPv6.
    let bytes: [UInt8]

    /// Parses an address.
    ///
    /// - Returns: `nil` if the text is no IP address.
    init?(_ text: String) {
        var short = [UInt8](repeating: 0, count: 4)
        var long = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &short) == 1 {
            bytes = short
        } else if inet_pton(AF_INET6, text, &long) == 1 {
            let isMapped = long.prefix(10).allSatisfy { $0 == 0 } && long[10...11].allSatisfy { $0 == 0xFF }
            bytes = isMapped ? Array(long[12...]) : long
        } else {
            return nil
        }
    }

    /// Takes the IP address of a socket address.
    ///
    /// - Returns: `nil` if the address is the path of a Unix socket.
    init?(_ address: SocketAddress) {
        // Parse the text, because Swift sees the members of `sockaddr_in6` or not, depending on the order in which it
        // compiles the files.
        guard let text = address.ipAddress else { return nil }
        self.init(text)
    }
}
