package import TransferCommon
import WireProtocol

// The key that the gateway proves to agents, and the one that will follow it (specification §5.1).

extension Gateway {
    /// The gateway proves another key from now on. Connections that have seen the one before end, since what WELCOME
    /// has said of the key does not hold any more; their agents come again at once, and go on.
    package mutating func siteKeyChanged(now: Instant) {
        context.now = now
        for id in connections.keys.sorted() { end(id, .draining, "the gateway's key has changed; connect again") }
        settleSlots()
    }

    /// The name of the device that a connection is; `nil` before WELCOME.
    package func deviceName(on id: ConnectionID) -> String? { connections[id]?.device?.name }
}
