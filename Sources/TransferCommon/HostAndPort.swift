/// The text of a host with a port. An IPv6 address stands in brackets, because it contains colons itself.
package enum HostAndPort {
    /// `host:port`, or `[host]:port` for an IPv6 address.
    package static func text(host: String, port: Int) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
