package import TransferCommon

extension Agent {
    /// When the run gives up for lack of a gateway; `nil` while one is connected, or if nothing waits for one.
    package var awaitsGatewayUntil: Instant? {
        let isConnected = context.connections.values.contains { $0.opened != nil }
        return phase == .running && !isIdle && !isConnected ? giveUpAt : nil
    }
}
