package import TransferCommon

/// The memory that the gateway has promised: the budget, and the initial credit that undecided parts have used up
/// (specification §7.2).
///
///     from    event                                                              to
///     enough  a reservation fails although its device is within its own limit    short
///     short   the gateway has evicted a slow part, or found none to evict        enough
///
/// Initial credit is reserved when its connection opens. Undecided bytes are counted against this credit. They take no
/// further budget until their part is decided.
package struct Reservations: Hashable, Sendable {
    /// Whether the budget of all devices together is short. The table in the comment on `Reservations` lists these
    /// states.
    package enum State: Hashable, Sendable {
        case enough
        case short
    }

    package private(set) var state = State.enough
    private var budget: ByteBudget
    /// The lists of completions whose sessions were aborted, until the store has answered the calls that carry them.
    private var lists: [StoreRequestID: MemoryHolding] = [:]
    private var undecidedBytes: [ConnectionID: UInt64] = [:]
    private var undecidedParts = Tally<ConnectionID>()

    package init(bytesMax: UInt64) {
        budget = ByteBudget(bytesMax: bytesMax)
    }

    // MARK: Budget

    package var bytesReserved: UInt64 { budget.bytesReserved }

    /// What one device holds.
    package func bytesReserved(device: SHA256Digest) -> UInt64 { budget.bytesReserved(device: device) }

    /// Reserves all of `bytes` or none of them.
    ///
    /// - Parameter deviceMax: the number of bytes that the device may hold, including `bytes`.
    package mutating func reserve(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        if budget.reserve(bytes, device: device, deviceMax: deviceMax) { return true }
        // If the device has reached its own limit, evicting parts of other devices would not help it.
        if isWithinOwnLimit(bytes, device: device, deviceMax: deviceMax), budget.isShort(of: bytes) { state = .short }
        return false
    }

    /// Whether the device's own limit leaves room for that many more bytes.
    package func isWithinOwnLimit(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        bytes <= deviceMax && budget.bytesReserved(device: device) <= deviceMax - bytes
    }

    /// Reserves the initial credit of a connection, completely or not at all. Refuses it if more than half of the whole
    /// budget, or of the device's, would then be reserved.
    package mutating func reserveCredit(_ bytes: UInt64, device: SHA256Digest, deviceMax: UInt64) -> Bool {
        guard budget.bytesReserved + bytes <= budget.bytesMax / 2,
            budget.bytesReserved(device: device) + bytes <= deviceMax / 2
        else { return false }
        return budget.reserve(bytes, device: device, deviceMax: deviceMax)
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

    // MARK: Calls to the store

    /// What calls to the store hold.
    package var heldByCalls: [MemoryHolding] { Array(lists.values) }

    /// The session of a list is aborted, while a call to the store carries the list.
    package mutating func keep(_ list: MemoryHolding, until request: StoreRequestID) {
        lists[request] = list
    }

    /// The store has answered a request.
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

    /// Stops counting a part as undecided, because it was decided or dropped.
    ///
    /// - Parameter bytes: the number of bytes of the part that have arrived.
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
