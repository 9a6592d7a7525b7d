package import TransferCommon

/// The calls to the store that the gateway has requested, until the store has answered them. Each class of calls has a
/// bound, and devices take turns in each class (`DeviceTurns`).
///
///     from     event                                                        to
///     absent   a call is requested, no other waits, and a place is free     begun
///     absent   a call is requested                                          waiting
///     waiting  its turn comes                                               begun
///     waiting  its session, slot or PROVE no longer needs the answer        absent
///     waiting  the process ends                                             absent
///     begun    the store has answered                                       absent
///
/// - A call whose class is bounded elsewhere begins at once. So does any other call while its class has room and no
///   earlier call waits.
/// - The number of waiting calls is bounded: a session and a PROVE wait for one call at a time, and their numbers are
///   bounded. `waitingRecordsMax` bounds the calls for which no session waits.
/// - Time limits of a call count from its beginning, because the shell learns of the call only then.
package struct StoreCallQueue: Hashable, Sendable {
    /// The phases of a call, as the table in the comment on `StoreCallQueue` lists them.
    package enum Phase: Hashable, Sendable {
        case waiting
        case begun
    }

    /// A call that begins now.
    package struct Call: Hashable, Sendable {
        package let id: StoreRequestID
        package let request: StoreRequest
    }

    private struct Entry: Hashable {
        var request: StoreRequest
        var device: SHA256Digest
    }

    private struct Begun: Hashable {
        var callClass: StoreCallClass
        var device: SHA256Digest
    }

    private let limits: StoreCallLimits
    /// The calls of each class, at the place of the class's raw value. An array, because each change in a dictionary
    /// would allocate memory.
    private var turns = [DeviceTurns<StoreRequestID>](repeating: .init(), count: StoreCallClass.allCases.count)
    private var waiting: [StoreRequestID: Entry] = [:]
    private var begun: [StoreRequestID: Begun] = [:]
    /// Whether the process ends, so that no further call begins.
    private var isClosed = false

    package init(limits: StoreCallLimits) {
        self.limits = limits
    }

    /// The phase of a call; `nil` if the queue does not have the call.
    package subscript(id: StoreRequestID) -> Phase? {
        if waiting[id] != nil { return .waiting }
        return begun[id] == nil ? nil : .begun
    }

    package var waitingCount: Int { waiting.count }

    /// Whether the gateway may request a further call for a record, for which no session waits.
    package var hasRoomForRecords: Bool {
        turns[StoreCallClass.record.rawValue].waitingCount < limits.waitingRecordsMax
    }

    /// Begins a call at once if none of its class waits and a place is free; otherwise the caller `add`s it.
    package mutating func begins(_ request: StoreRequest, _ id: StoreRequestID, of device: SHA256Digest) -> Bool {
        let (callClass, bounds) = (request.callClass, bounds(of: request.callClass))
        guard !isClosed, turns[callClass.rawValue].takePlace(bounds, of: device) else { return false }
        begun[id] = Begun(callClass: callClass, device: device)
        return true
    }

    /// Lets a call wait. The caller begins it later, when `next` returns it.
    package mutating func add(_ request: StoreRequest, _ id: StoreRequestID, of device: SHA256Digest) {
        waiting[id] = Entry(request: request, device: device)
        turns[request.callClass.rawValue].add(id, of: device)
    }

    /// Takes the call of a class whose turn it is; `nil` if no call of the class may begin now.
    package mutating func next(of callClass: StoreCallClass) -> Call? {
        let bounds = bounds(of: callClass)
        guard !isClosed, let id = turns[callClass.rawValue].next(bounds), let entry = waiting.removeValue(forKey: id)
        else {
            return nil
        }
        begun[id] = Begun(callClass: callClass, device: entry.device)
        return Call(id: id, request: entry.request)
    }

    private func bounds(of callClass: StoreCallClass) -> DeviceTurns<StoreRequestID>.Bounds {
        .init(inAll: limits[callClass] ?? .max)
    }

    /// Removes a call whose answer is not needed; returns whether it was waiting, and now never begins.
    package mutating func leave(_ id: StoreRequestID) -> Bool {
        guard let entry = waiting.removeValue(forKey: id) else { return false }
        turns[entry.request.callClass.rawValue].leave(id)
        return true
    }

    /// Ends an answered call; returns the class of which another may begin, or `nil` if the call was not under way.
    package mutating func ended(_ id: StoreRequestID) -> StoreCallClass? {
        guard let call = begun.removeValue(forKey: id) else { return nil }
        turns[call.callClass.rawValue].freePlace(of: call.device)
        return call.callClass
    }

    /// Lets no further call begin, because the process ends.
    package mutating func close() {
        isClosed = true
        for id in waiting.keys { _ = leave(id) }
    }
}
