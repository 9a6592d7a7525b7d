/// The number that identifies a session on one connection. On another connection the same number identifies another
/// session.
package struct Slot: Hashable, Sendable {
    /// Slot 0, for frames that are about the connection and not about a session.
    package static let connection = Slot(0)

    package let value: UInt16

    package init(_ value: UInt16) {
        self.value = value
    }
}

extension Slot: CustomStringConvertible {
    package var description: String { String(value) }
}
