import TransferCommon

/// The error for a gateway without TLS that would listen on an address that other machines can reach.
package struct PlaintextAddressError: Error, Equatable, CustomStringConvertible {
    /// The address that the system has bound.
    package let address: String

    /// - Parameter bound: the address of the listening socket. The text of the setting does not count, because a name
    ///   such as `localhost` may lead to any address.
    /// - Returns: `nil` if only this machine can reach the address.
    package init?(bound: String?) {
        let address = bound ?? "an unknown address"
        guard !LoopbackAddress.isLoopback(address: address) else { return nil }
        self.address = address
    }

    package var description: String {
        "--plaintext is for loopback addresses such as 127.0.0.1:7420 only, and --listen leads to \(address)."
    }
}
