import TransferCore

extension GatewayLimits {
    /// Lowers the numbers of connections, so that the store still has descriptors for its files and requests when the
    /// gateway has as many connections as it may have.
    ///
    /// - Parameter limit: how many descriptors the process may have; at least `DescriptorLimit.fewest`.
    package mutating func fit(descriptors limit: Int) {
        // The system's libraries, the home and the store's own files need some 20 descriptors.
        let free = max(limit - 24, 4)
        let forPeers = free - free / 4
        guard connectionsMax + unauthenticatedPeersMax + peersBeforeProxyHeaderMax > forPeers else { return }
        // As usual: each of the two groups of unauthenticated peers has a quarter of the connections, and one address a
        // quarter of that. So all together have three halves of the connections.
        let connections = min(connectionsMax, max(forPeers * 2 / 3, 1))
        connectionsMax = connections
        unauthenticatedPeersMax = min(unauthenticatedPeersMax, max(connections / 4, 1))
        peersBeforeProxyHeaderMax = min(peersBeforeProxyHeaderMax, max(connections / 4, 1))
        unauthenticatedPeersPerAddressMax = min(unauthenticatedPeersPerAddressMax, max(connections / 16, 1))
    }
}
