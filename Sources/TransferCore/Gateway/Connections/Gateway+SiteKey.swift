import TransferCommon
import WireProtocol

// The key that the gateway proves to agents (specification §5.1).

extension Gateway {
    mutating func siteKeyChanged() {
        for id in connections.ids { end(id, .draining, "the gateway's key has changed; connect again") }
        settleSlots()
    }

    /// The name of the device at the other end of a connection; `nil` before WELCOME.
    package func deviceName(on id: ConnectionID) -> String? { connections[id]?.device?.name }
}
