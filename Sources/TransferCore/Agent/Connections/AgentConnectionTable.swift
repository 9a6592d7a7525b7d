import TransferCommon
import WireProtocol

/// The agent's connections by number. A number is used for one connection only, so an event that arrives late for an
/// old connection finds no connection.
struct AgentConnectionTable: Hashable {
    /// The numbers of the connections, in the order in which the connections were added.
    private(set) var ids: [ConnectionID] = []
    /// The connections, in the order of `ids`. There are few of them, so a search costs less than a hash, and an array
    /// changes its elements in place without allocating memory. No element is `nil`; the elements are optional so that
    /// the subscript can change one of them in place.
    private var connections: [AgentConnection?] = []
    private var lastNumber: UInt64 = 0

    /// The connection with this number; `nil` if there is none. Writing to it neither adds nor removes a connection.
    subscript(id: ConnectionID) -> AgentConnection? {
        get { ids.firstIndex(of: id).flatMap { connections[$0] } }
        _modify {
            if let index = ids.firstIndex(of: id) {
                yield &connections[index]
            } else {
                var none: AgentConnection?
                yield &none
            }
        }
    }

    var values: some Sequence<AgentConnection> { connections.lazy.compactMap(\.self) }

    // MARK: Adding and removing

    /// Adds a connection that is established as soon as there is work for it.
    mutating func add(_ connection: AgentConnection) {
        lastNumber += 1
        ids.append(ConnectionID(lastNumber))
        connections.append(connection)
    }

    mutating func remove(_ id: ConnectionID) {
        guard let index = ids.firstIndex(of: id) else { return }
        ids.remove(at: index)
        connections.remove(at: index)
    }

    /// Removes all connections, and returns those that the shell has to close, in order.
    mutating func removeAll() -> [ConnectionID] {
        let closing = ids.filter { id in
            if case .away? = self[id]?.phase { false } else { true }
        }
        ids = []
        connections = []
        return closing
    }

    // MARK: Read-outs

    /// How many slots carry an upload or a proof, or wait for SESSION LEFT.
    var openSlotCount: Int { values.reduce(0) { $0 + ($1.opened?.slots.openCount ?? 0) } }

    /// Whether WELCOME has come on any of the connections. Asked after every event, so it copies no connection.
    var hasWelcomed: Bool { connections.indices.contains { connections[$0]?.isWelcomed == true } }

    /// Whether a session could be opened or resumed on any of the connections.
    var hasFreeSlot: Bool { values.contains(where: \.hasFreeSlot) }

    /// Whether the gateway of any of these connections answers.
    func isHeard(_ connections: Set<ConnectionID>, now: Instant) -> Bool {
        connections.contains { self[$0]?.isHeard(now: now) == true }
    }

    /// The number of connections on which a session could be opened or resumed.
    func countWithFreeSlot(excluding taken: Set<ConnectionID>) -> Int {
        ids.count { !taken.contains($0) && self[$0]?.hasFreeSlot == true }
    }

    /// The open connection with a free slot and the fewest sessions; among equals the one with the lowest number.
    func leastUsed(excluding taken: Set<ConnectionID> = []) -> ConnectionID? {
        var least: (id: ConnectionID, sessions: Int)?
        for id in ids where !taken.contains(id) {
            guard let connection = self[id], connection.hasFreeSlot else { continue }
            if least.map({ connection.usedSlotCount < $0.sessions }) ?? true {
                least = (id, connection.usedSlotCount)
            }
        }
        return least?.id
    }

    /// What a slot is used for; `nil` if its connection is not open.
    func state(of place: Attachment) -> AgentSlotTable.State? {
        self[place.connection]?.opened?.slots.state(of: place.slot)
    }

    /// When a connection next has something to do. `pacer` decides when a connection that has data may send it.
    func nextDeadline(_ pacer: ChunkPacer, now: Instant) -> Instant? {
        let next = values.reduce(nil) { earlier($0, $1.nextDeadline(now: now)) }
        guard pacer.isLimited, values.contains(where: { $0.opened?.turns.isEmpty == false }) else {
            return next
        }
        return earlier(next, pacer.nextDeadline(now: now))
    }
}
