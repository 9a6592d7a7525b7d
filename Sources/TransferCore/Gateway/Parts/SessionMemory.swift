package import TransferCommon
import WireProtocol

/// Memory that is reserved in the budget, and the device to which it is charged. The device is that of the connection
/// for which the memory was reserved, even if its session belongs to another key of the device later.
package struct MemoryHolding: Hashable, Sendable {
    package let device: SHA256Digest
    package var bytes: UInt64

    package init(device: SHA256Digest, bytes: UInt64) {
        self.device = device
        self.bytes = bytes
    }
}

/// The whole list that has arrived before COMPLETE, with its memory. The session that takes the list releases the memory.
struct CompleteList: Hashable {
    let entries: [PartListEntry]
    let memory: MemoryHolding
}

/// What a session holds in the budget besides its parts.
package struct SessionMemory: Hashable, Sendable {
    /// The list that the session completes its upload with.
    package private(set) var list: MemoryHolding?

    package init() {}

    package var holdings: [MemoryHolding] { [list].compactMap { $0 } }

    /// The session completes its upload with a list, whose memory is reserved already.
    package mutating func takes(_ list: MemoryHolding) {
        self.list = list
    }

    /// The session does not complete its upload any more.
    package mutating func releaseList(_ reservations: inout Reservations) {
        guard let list else { return }
        reservations.release(list)
        self.list = nil
    }

    /// The session is aborted, while this call to the store still carries the list.
    package mutating func leaveList(to request: StoreRequestID, _ reservations: inout Reservations) {
        guard let list else { return }
        reservations.keep(list, until: request)
        self.list = nil
    }
}
