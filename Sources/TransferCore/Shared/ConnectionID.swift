/// Names one connection. The gateway's shell numbers connections in the order in which it accepts them. The agent's
/// machine numbers its attempts to connect. No number is used again.
package struct ConnectionID: Hashable, Comparable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: ConnectionID, right: ConnectionID) -> Bool { left.value < right.value }
}
