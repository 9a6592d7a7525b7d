import TransferCommon

/// The connections of the gateway, and when one of them has something to do.
///
/// `checkAt` is the earliest deadline of any connection. Arriving bytes only postpone the deadline of their connection,
/// so `checkAt` stays as it is. `tick` then comes early, finds nothing to do, and computes `checkAt` anew.
struct ConnectionTable: Hashable {
    /// A connection with something to do.
    struct Due: Hashable {
        var id: ConnectionID
        var result: GatewayConnection.OnTick
    }

    private var connections: [ConnectionID: GatewayConnection] = [:]
    private var checkAt: Instant?

    /// The connection with this number, which can be changed in place; `add` and `remove` add and remove one.
    subscript(id: ConnectionID) -> GatewayConnection? {
        get { connections[id] }
        _modify { yield &connections[id] }
    }

    var count: Int { connections.count }
    var isEmpty: Bool { connections.isEmpty }
    /// The numbers of the connections, in the order in which they were accepted.
    var ids: [ConnectionID] { connections.keys.sorted() }

    mutating func add(_ connection: GatewayConnection, _ id: ConnectionID) {
        connections[id] = connection
    }

    mutating func remove(_ id: ConnectionID) -> GatewayConnection? { connections.removeValue(forKey: id) }

    /// The number of bytes that have arrived on each connection since the last call. Sets the counts to zero.
    mutating func takeHeardBytes() -> [ConnectionID: UInt64] {
        var heardBytes: [ConnectionID: UInt64] = [:]
        for id in connections.keys { heardBytes[id] = connections[id]?.takeHeardBytes() }
        return heardBytes
    }

    /// Makes sure that `tick` is called by the deadline of a connection.
    mutating func check(at deadline: Instant) {
        checkAt = min(checkAt ?? deadline, deadline)
    }

    /// When `tick` may have something to do.
    var nextDeadline: Instant? { checkAt }

    /// Ticks every connection, and computes when to tick them again. Returns those with something to do, in order; the
    /// gateway removes those that are to be closed.
    mutating func tick(idleLimit: Duration, now: Instant) -> [Due] {
        guard let due = checkAt, due <= now else { return [] }
        checkAt = nil
        var found: [Due] = []
        // Sort only the few connections with something to do. `indices` would hold a second reference to the table, and
        // the first change would copy it.
        var index = connections.startIndex
        while index != connections.endIndex {
            let result = connections.values[index].tick(idleLimit: idleLimit, now: now)
            if result != .wait { found.append(Due(id: connections.keys[index], result: result)) }
            if case .close = result {
            } else if let deadline = connections.values[index].nextDeadline(idleLimit: idleLimit) {
                check(at: deadline)
            }
            connections.formIndex(after: &index)
        }
        return found.sorted { $0.id < $1.id }
    }
}
