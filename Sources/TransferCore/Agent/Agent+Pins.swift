package import TransferCommon
package import WireProtocol

// The gateway's keys that the agent pins, and what a connection's two sides have agreed on.

extension Agent {
    /// Pins a key, unless it is pinned already or the agent pins nothing.
    mutating func pin(_ key: SHA256Digest, provedOn id: ConnectionID) {
        guard let list = pins.add(key, whileProved: context.connections[id]?.gateway?.fingerprint) else { return }
        context.actions.append(.keepPins(list))
    }

    /// The pins that were to be kept are durable, or could not be written.
    package mutating func pinsKept(_ isDurable: Bool, now: Instant) {
        context.now = now
        guard let list = pins.written(isDurable) else { return }
        context.actions.append(.keepPins(list))
    }

    /// What HELLO and WELCOME of a connection agree on (specification §7.3); nothing before WELCOME.
    package func agreedCapabilities(on id: ConnectionID) -> Capabilities {
        context.connections[id]?.welcome?.capabilities.intersection(identity.capabilities) ?? []
    }
}
