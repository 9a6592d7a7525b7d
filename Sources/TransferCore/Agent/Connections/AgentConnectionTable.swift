import TransferCommon
import WireProtocol

/// The agent's connections by number. A number is used for one connection only, so an event that arrives late for an
/// old connection finds no connection.
struct AgentConnectionTable: Hashable {
    private var connections: [ConnectionID: AgentConnection] = [:]
    private var lastNumber: UInt64 = 0

    subscript(id: ConnectionID) -> AgentConnection? {
        get { connections[id] }
        _modify { yield &connections[id] }
    }

    /// The numbers of the connections, in the order in which the connections were added.
    var ids: [ConnectionID] { connections.keys.sorted() }

    var values: Dictionary<ConnectionID, AgentConnection>.Values { connections.values }

    // MARK: Adding and removing

    /// Adds a connection that is established as soon as there is work for it.
    mutating func add(_ connection: AgentConnection) {
        lastNumber += 1
        connections[ConnectionID(lastNumber)] = connection
    }

    mutating func remove(_ id: ConnectionID) { connections[id] = nil }

    /// Removes all connections.
    ///
    /// - Returns: the connections that the shell has to close, in order.
    mutating func removeAll() -> [ConnectionID] {
        let closing = ids.filter { id in
            if case .away? = connections[id]?.phase { false } else { true }
        }
        connections = [:]
        return closing
    }

    // MARK: Read-outs

    /// Slots that carry an upload or a proof, or whose SESSION LEFT has not been read.
    var openSlotCount: Int { connections.values.reduce(0) { $0 + ($1.opened?.slots.openCount ?? 0) } }

    /// Whether a session could be opened or resumed.
    var hasFreeSlot: Bool { connections.values.contains { $0.isOpen && $0.hasFreeSlot } }

    /// The number of connections on which a session could be opened or resumed.
    func countWithFreeSlot(excluding taken: Set<ConnectionID>) -> Int {
        connections.count { !taken.contains($0.key) && $0.value.isOpen && $0.value.hasFreeSlot }
    }

    /// The open connection with a free slot and the fewest sessions; among equals the one with the lowest number.
    func leastUsed(excluding taken: Set<ConnectionID> = []) -> ConnectionID? {
        connections.filter { $0.value.isOpen && $0.value.hasFreeSlot && !taken.contains($0.key) }
            .min { ($0.value.usedSlotCount, $0.key) < ($1.value.usedSlotCount, $1.key) }?.key
    }

    /// What a slot is used for; `nil` if its connection is not open.
    func state(of place: Attachment) -> AgentSlotTable.State? {
        connections[place.connection]?.opened?.slots.state(of: place.slot)
    }

    /// When a connection has something to do.
    ///
    /// - Parameter pacer: decides when a connection that has data may send it.
    func nextDeadline(_ pacer: ChunkPacer, now: Instant) -> Instant? {
        let next = connections.values.reduce(nil) { earlier($0, $1.nextDeadline(now: now)) }
        guard pacer.isLimited, connections.values.contains(where: { $0.opened?.turns.isEmpty == false }) else {
            return next
        }
        return earlier(next, pacer.nextDeadline(now: now))
    }
}
