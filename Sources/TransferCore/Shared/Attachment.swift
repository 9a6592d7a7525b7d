package import WireProtocol

/// A slot of a connection, through which a session is reached.
package struct Attachment: Hashable, Sendable {
    package var connection: ConnectionID
    package var slot: Slot

    package init(connection: ConnectionID, slot: Slot) {
        self.connection = connection
        self.slot = slot
    }
}
