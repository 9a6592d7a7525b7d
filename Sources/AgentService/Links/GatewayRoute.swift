#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The network interface by which the system reaches a gateway now. A datagram socket that is connected sends nothing,
/// but the kernel chooses its route.
enum GatewayRoute {
    /// Blocks while the name of the host is looked up, so it belongs on a pool thread.
    ///
    /// - Returns: `nil` if the gateway has no route or no address now.
    static func interface(host: String, port: Int) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &found) == 0 else { return nil }
        defer { freeaddrinfo(found) }
        var next = found
        while let info = next?.pointee {
            if let name = interface(to: info) { return name }
            next = info.ai_next
        }
        return nil
    }

    private static func interface(to info: addrinfo) -> String? {
        let descriptor = socket(info.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 else { return nil }
        var own = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let address = withUnsafeMutableBytes(of: &own) { bytes -> [UInt8]? in
            guard let start = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                getsockname(descriptor, start, &size) == 0
            else { return nil }
            return hostBytes(of: start)
        }
        return address.flatMap(name(ofInterfaceWith:))
    }

    private static func name(ofInterfaceWith address: [UInt8]) -> String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next?.pointee {
            if let own = entry.ifa_addr, hostBytes(of: own) == address { return String(cString: entry.ifa_name) }
            next = entry.ifa_next
        }
        return nil
    }

    /// The bytes of an IPv4 or IPv6 address; `nil` for another family.
    private static func hostBytes(of address: UnsafePointer<sockaddr>) -> [UInt8]? {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin_addr, Array.init)
            }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr, Array.init)
            }
        default: nil
        }
    }
}
