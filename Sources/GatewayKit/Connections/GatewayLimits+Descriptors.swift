import TransferCore

extension GatewayLimits {
    /// Lowers the numbers of connections, so that the store still has descriptors for its files and requests when the
    /// gateway has as many connections as it may have.
    ///
    /// - Parameter limit: how many descriptors the process may have; at least `DescriptorLimit.fewest`.
    package mutating func fit(descriptors limit: Int) {
        // The system's libraries, the home and the store's own files need some 20 descriptors.
        let free = max(limit - 24, 4)
        let connections = min(connectionsMax, free - free / 4)
        guard connections < connectionsMax else { return }
        connectionsMax = connections
        // As usual: unauthenticated peers have a quarter of the connections, and one address a quarter of that.
        unauthenticatedPeersMax = min(unauthenticatedPeersMax, max(connections / 4, 1))
        unauthenticatedPeersPerAddressMax = min(unauthenticatedPeersPerAddressMax, max(connections / 16, 1))
    }
}
