package import WireProtocol

/// Where a session is reached: a slot of a connection.
package struct Attachment: Hashable, Sendable {
    package var connection: ConnectionID
    package var slot: Slot

    package init(connection: ConnectionID, slot: Slot) {
        self.connection = connection
        self.slot = slot
    }
}
