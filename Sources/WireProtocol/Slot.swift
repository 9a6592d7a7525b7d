/// The number that identifies a session on one connection. Another connection uses the same numbers for other sessions.
package struct Slot: Hashable, Sendable {
    /// The slot of the connection itself, which carries no session.
    package static let connection = Slot(0)

    package let value: UInt16

    package init(_ value: UInt16) {
        self.value = value
    }
}

extension Slot: CustomStringConvertible {
    package var description: String { String(value) }
}
