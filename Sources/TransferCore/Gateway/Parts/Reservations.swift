package import TransferCommon

/// The memory that the gateway has promised: the budget, and the initial credit that undecided parts have used up
/// (specification §7.2).
///
///     from    event                                                              to
///     enough  a reservation fails although its device is within its own limit    short
///     short   the gateway has evicted a slow part, or found none to evict        enough
///
/// - Initial credit is reserved when its connection opens. Undecided bytes are counted against this credit. They take
///   no further budget until their part is decided.
/// - Tables of stored parts hold at most half of each budget. Everything else (parts, lists, initial credit,
///   read-backs) holds at most three quarters, so that it cannot keep the tables of new sessions out.
package struct Reservations: Hashable, Sendable {
    /// Whether the budget of all devices together is short.
    package enum State: Hashable, Sendable {
        case enough
        case short
    }

    package private(set) var state = State.enough
    private var budget: ByteBudget
    /// What the tables of stored parts hold of the budget.
    private var tables: ByteBudget
    /// The lists of completions whose sessions were aborted, until the store has answered the calls that carry them.
    private var lists: [StoreRequestID: MemoryHolding] = [:]
    private var undecidedBytes: [ConnectionID: UInt64] = [:]
    private var undecidedParts = Tally<ConnectionID>()

    package init(bytesMax: UInt64) {
        budget = ByteBudget(bytesMax: bytesMax)
        tables = ByteBudget(bytesMax: Self.tablesMax(of: bytesMax))
    }

    // MARK: Budget

    package var bytesReserved: UInt64 { budget.bytesReserved }

    /// What one device holds.
    package func bytesReserved(device: SHA256Digest) -> UInt64 { budget.bytesReserved(device: device) }

    /// What everything but tables may hold of a budget.
    package static func dataMax(of bytesMax: UInt64) -> UInt64 { bytesMax - bytesMax / 4 }

    /// What tables of stored parts may hold of a budget.
    package static func tablesMax(of bytesMax: UInt64) -> UInt64 { bytesMax / 2 }

    /// Reserves all of `bytes` or none, not for a table. The device may hold `deviceMax` bytes, these included.
    package mutating func reserve(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        // If the device has reached its own limit, evicting parts of other devices would not help it.
        guard isWithinOwnLimit(bytes, device: device, deviceMax: deviceMax) else { return false }
        let isRoom = dataBytes.isRoom(for: bytes, in: Self.dataMax(of: budget.bytesMax))
        if isRoom, budget.reserve(bytes, device: device, deviceMax: deviceMax) { return true }
        state = .short
        return false
    }

    /// Whether the device's own limit leaves room for that many more bytes.
    package func isWithinOwnLimit(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        let held = budget.bytesReserved(device: device)
        return held.isRoom(for: bytes, in: deviceMax)
            && (held - tables.bytesReserved(device: device)).isRoom(for: bytes, in: Self.dataMax(of: deviceMax))
    }

    /// Reserves the initial credit of a connection, completely or not at all. Refuses it if more than half of the whole
    /// budget, or of the device's, would then be reserved.
    package mutating func reserveCredit(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        guard dataBytes.isRoom(for: bytes, in: Self.dataMax(of: budget.bytesMax) / 2),
            dataBytes(of: device).isRoom(for: bytes, in: Self.dataMax(of: deviceMax) / 2)
        else { return false }
        return budget.reserve(bytes, device: device, deviceMax: deviceMax)
    }

    private var dataBytes: UInt64 { budget.bytesReserved - tables.bytesReserved }

    private func dataBytes(of device: SHA256Digest) -> UInt64 {
        budget.bytesReserved(device: device) - tables.bytesReserved(device: device)
    }

    /// Frees reserved bytes, but no more than the device holds.
    package mutating func release(_ bytes: UInt64, device: SHA256Digest) {
        budget.release(bytes, device: device)
    }

    /// Frees what an owner holds.
    package mutating func release(_ holding: MemoryHolding) {
        budget.release(holding.bytes, device: holding.device)
    }

    /// Ends the shortage, because the gateway has evicted a slow part, or found none to evict.
    package mutating func madeRoom() {
        state = .enough
    }

    // MARK: Tables of stored parts

    /// The devices that have tables, the one whose tables hold most first.
    package var tableHolders: [SHA256Digest] { tables.holders }

    /// What the tables of a device hold.
    package func tableBytes(device: SHA256Digest) -> UInt64 { tables.bytesReserved(device: device) }

    /// Reserves the memory of a table of stored parts or none of it. Tables may take half of `deviceMax`.
    package mutating func reserveTable(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        guard tables.reserve(bytes, device: device, deviceMax: Self.tablesMax(of: deviceMax)) else { return false }
        if budget.reserve(bytes, device: device, deviceMax: deviceMax) { return true }
        tables.release(bytes, device: device)
        return false
    }

    /// Whether a device may have another table, as far as its own limit is concerned.
    package func isTableWithinOwnLimit(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        budget.bytesReserved(device: device).isRoom(for: bytes, in: deviceMax)
            && tableBytes(device: device).isRoom(for: bytes, in: Self.tablesMax(of: deviceMax))
    }

    /// Frees memory of a table.
    package mutating func releaseTable(_ holding: MemoryHolding) {
        tables.release(holding.bytes, device: holding.device)
        budget.release(holding.bytes, device: holding.device)
    }

    // MARK: Calls to the store

    /// What calls to the store hold.
    package var heldByCalls: [MemoryHolding] { Array(lists.values) }

    /// Keeps the list of an aborted session reserved until the store has answered the call that carries it.
    package mutating func keep(_ list: MemoryHolding, until request: StoreRequestID) {
        lists[request] = list
    }

    /// Frees the list that an answered call to the store has carried, if any.
    package mutating func answered(_ request: StoreRequestID) {
        guard !lists.isEmpty, let list = lists.removeValue(forKey: request) else { return }
        release(list)
    }

    // MARK: Undecided parts

    /// How many bytes of undecided parts a connection has sent.
    package func undecidedBytes(on id: ConnectionID) -> UInt64 { undecidedBytes[id] ?? 0 }

    /// How many parts of a connection wait for a decision.
    package func undecidedParts(on id: ConnectionID) -> Int { undecidedParts[id] }

    /// Counts an offered part, which waits for its decision.
    package mutating func offered(on id: ConnectionID) {
        undecidedParts.add(id)
    }

    /// Counts bytes of an undecided part that have arrived.
    package mutating func receivedUndecided(_ bytes: UInt64, on id: ConnectionID) {
        undecidedBytes[id, default: 0] += bytes
    }

    /// Stops counting a part and its arrived bytes as undecided, because it was decided or dropped.
    package mutating func decided(on id: ConnectionID, received bytes: UInt64) {
        undecidedParts.remove(id)
        guard let held = undecidedBytes[id] else { return }
        undecidedBytes[id] = held > bytes ? held - bytes : nil
    }

    /// Forgets the undecided bytes of a connection that has ended.
    package mutating func closed(_ id: ConnectionID) {
        undecidedBytes[id] = nil
    }
}
