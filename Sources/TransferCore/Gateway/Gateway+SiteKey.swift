import TransferCommon
import WireProtocol

// The key that the gateway proves to agents, and the one that will follow it (specification §5.1).

extension Gateway {
    mutating func siteKeyChanged() {
        for id in connections.keys.sorted() { end(id, .draining, "the gateway's key has changed; connect again") }
        settleSlots()
    }

    /// The name of the device that a connection is; `nil` before WELCOME.
    package func deviceName(on id: ConnectionID) -> String? { connections[id]?.device?.name }
}
