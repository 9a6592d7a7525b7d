package import TransferCommon

extension Agent {
    /// When the run gives up for lack of a gateway; `nil` while one is connected, or if nothing waits for one.
    package var awaitsGatewayUntil: Instant? {
        phase == .running && !isIdle && !context.connections.hasWelcomed ? giveUpAt : nil
    }
}
