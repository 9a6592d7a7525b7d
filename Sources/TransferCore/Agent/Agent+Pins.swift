import TransferCommon
package import WireProtocol

// The keys of the gateway that the agent pins, and the capabilities on which the two sides of a connection agree.

extension Agent {
    /// Pins a key, unless it is pinned already or the agent pins nothing.
    mutating func pin(_ key: SHA256Digest, provedOn id: ConnectionID) {
        guard let list = pins.add(key, whileProved: context.connections[id]?.gateway?.fingerprint) else { return }
        context.actions.append(.keepPins(list))
    }

    mutating func pinsKept(_ isDurable: Bool) {
        guard let list = pins.written(isDurable) else { return }
        context.actions.append(.keepPins(list))
    }

    /// The capabilities that both HELLO and WELCOME of a connection name (specification §7.3); none before WELCOME.
    package func agreedCapabilities(on id: ConnectionID) -> Capabilities {
        context.connections[id]?.welcome?.capabilities.intersection(identity.capabilities) ?? []
    }
}
