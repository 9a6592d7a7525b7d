package import TransferCommon

/// What a run without progress waits for.
package struct RunWait: Hashable, Sendable {
    /// When the run gives up, unless it makes progress before.
    package var until: Instant
    /// The last refusal of the gateway that is connected; `nil` if no gateway is connected.
    package var refusal: GatewayRefusal?

    package init(until: Instant, refusal: GatewayRefusal? = nil) {
        self.until = until
        self.refusal = refusal
    }
}

extension Agent {
    /// What the run waits for: a gateway, or a gateway or store that refuses for now; `nil` if it makes progress, or if
    /// nothing is left to do. Asked after every event, so it looks at no upload.
    package var wait: RunWait? {
        guard phase == .running, !isIdle else { return nil }
        guard context.connections.hasWelcomed else { return RunWait(until: giveUpAt) }
        return context.presentRefusal.map { RunWait(until: giveUpAt, refusal: $0) }
    }

    /// Whether every connection is gone and at least one attempt to connect again has failed. Whatever a gateway said
    /// before is then no longer the reason why the run makes no progress.
    var hasLostGateways: Bool {
        context.connections.values.allSatisfy { !$0.isWelcomed && $0.failures > 1 }
    }
}
