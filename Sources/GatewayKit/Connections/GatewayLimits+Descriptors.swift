import TransferCore

extension GatewayLimits {
    /// Lowers the limits on connections, so that descriptors for the store's files and requests remain even when all
    /// allowed connections are open.
    ///
    /// - Parameter limit: how many descriptors the process may have; at least `DescriptorLimit.fewest`.
    package mutating func fit(descriptors limit: Int) {
        // The system's libraries, the home and the store's own files need some 20 descriptors.
        let free = max(limit - 24, 4)
        let forPeers = free - free / 4
        guard connectionsMax + unauthenticatedPeersMax + peersBeforeProxyHeaderMax > forPeers else { return }
        // Keep the ratios of the usual limits: each of the two groups of unauthenticated peers may have a quarter as
        // many connections as the devices, and one address a quarter of that. All groups together then have one and a
        // half times the connections of the devices.
        let connections = min(connectionsMax, max(forPeers * 2 / 3, 1))
        connectionsMax = connections
        unauthenticatedPeersMax = min(unauthenticatedPeersMax, max(connections / 4, 1))
        peersBeforeProxyHeaderMax = min(peersBeforeProxyHeaderMax, max(connections / 4, 1))
        unauthenticatedPeersPerAddressMax = min(unauthenticatedPeersPerAddressMax, max(connections / 16, 1))
    }
}
