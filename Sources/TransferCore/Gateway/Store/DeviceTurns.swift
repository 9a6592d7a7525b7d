import TransferCommon

/// Elements that wait for one of a bounded number of places. Devices take turns, so that a device with many elements
/// does not keep the element of another device waiting.
///
///     from     event                                             to
///     absent   an element is added                               waiting
///     waiting  a place is free, and the element's turn comes     placed
///     waiting  the element leaves the queue                      absent
///     placed   the place is free again                           absent
///
/// - The next element is one of the device with the fewest places. Among such devices, it is one of the device whose
///   last turn is longest ago. The elements of one device follow each other in the order in which they were added.
/// - Each element is added once, so it must differ from all earlier ones.
/// - An element that leaves the queue from the middle stays in its device's lane until it reaches the front, or until
///   the lane is compacted. In the same way `turns` keeps entries that no longer count. So each operation takes
///   logarithmic time, however many elements and devices wait.
struct DeviceTurns<Element: Hashable & Sendable>: Hashable, Sendable {
    /// How many elements may have places at once.
    struct Bounds: Hashable, Sendable {
        var inAll: Int
        var ofDevice = Int.max
    }

    /// When a device has its turn: the device with the lowest value is next.
    private struct Turn: Hashable, Comparable {
        var places: Int
        /// Grows from turn to turn, so the turns of two devices never have the same value.
        var order: UInt64
        var device: SHA256Digest

        static func < (left: Turn, right: Turn) -> Bool { (left.places, left.order) < (right.places, right.order) }
    }

    private struct Lane: Hashable {
        var turn: Turn
        /// The elements from `start` on; those that have left the queue may still be among them.
        var elements: [Element] = []
        var start = 0
        var waitingCount = 0
    }

    private var lanes: [SHA256Digest: Lane] = [:]
    /// The turns of all lanes. An entry counts only if it equals the `turn` of its lane.
    private var turns = Heap<Turn>()
    private var waiting: [Element: SHA256Digest] = [:]
    private var places = Tally<SHA256Digest>()
    private var lastOrder: UInt64 = 0

    var waitingCount: Int { waiting.count }

    /// Takes a place for an element if nothing waits and one is free, so that the element needs no lane.
    mutating func takePlace(_ bounds: Bounds, of device: SHA256Digest) -> Bool {
        guard waiting.isEmpty, places.total < bounds.inAll, places[device] < bounds.ofDevice else { return false }
        places.add(device)
        return true
    }

    /// Adds an element behind the others of its device.
    mutating func add(_ element: Element, of device: SHA256Digest) {
        waiting[element] = device
        if lanes[device] == nil { takeTurn(device) }
        lanes[device]?.elements.append(element)
        lanes[device]?.waitingCount += 1
    }

    /// Whether an element can use a place now.
    enum Attempt {
        case begins
        /// A limit of the device: the element waits, the next device has its turn, and this one keeps its own.
        case lacksOfDevice
        /// The element has to wait because of a limit that all devices share. No element gets a place: otherwise
        /// elements that need less could overtake this one without end.
        case lacksOfAll
    }

    /// Gives a place to the element whose turn it is; `nil` if no element gets a place.
    mutating func next(_ bounds: Bounds, attempt: (Element) -> Attempt = { _ in .begins }) -> Element? {
        var passedOver: [Turn] = []
        defer { for turn in passedOver { turns.push(turn) } }
        while places.total < bounds.inAll, let turn = firstTurn(), turn.places < bounds.ofDevice,
            let element = first(of: turn.device)
        {
            switch attempt(element) {
            case .begins: break
            case .lacksOfAll: return nil
            case .lacksOfDevice:
                if let turn = turns.popFirst() { passedOver.append(turn) }
                continue
            }
            places.add(turn.device)
            lanes[turn.device]?.start += 1
            removeWaiting(element, of: turn.device)
            if lanes[turn.device] != nil { takeTurn(turn.device) }
            return element
        }
        return nil
    }

    /// Removes an element that no longer needs a place; returns whether it was waiting.
    @discardableResult
    mutating func leave(_ element: Element) -> Bool {
        guard let device = waiting[element] else { return false }
        removeWaiting(element, of: device)
        return true
    }

    /// Frees a place of a device.
    mutating func freePlace(of device: SHA256Digest) {
        places.remove(device)
        guard var turn = lanes[device]?.turn else { return }
        turn.places = places[device]
        set(turn)
    }

    // MARK: Lanes

    private mutating func first(of device: SHA256Digest) -> Element? {
        while let lane = lanes[device], lane.start < lane.elements.count {
            let element = lane.elements[lane.start]
            if waiting[element] != nil { return element }
            lanes[device]?.start += 1
        }
        return nil
    }

    private mutating func removeWaiting(_ element: Element, of device: SHA256Digest) {
        waiting[element] = nil
        guard var lane = lanes.removeValue(forKey: device), lane.waitingCount > 1 else { return }
        lane.waitingCount -= 1
        if lane.elements.count > 2 * lane.waitingCount + 16 {
            lane.elements = lane.elements[lane.start...].filter { waiting[$0] != nil }
            lane.start = 0
        }
        lanes[device] = lane
    }

    // MARK: Turns

    private mutating func firstTurn() -> Turn? {
        while let first = turns.first {
            if lanes[first.device]?.turn == first { return first }
            _ = turns.popFirst()
        }
        return nil
    }

    /// Puts the device's next turn after those of the other devices with as many places.
    private mutating func takeTurn(_ device: SHA256Digest) {
        lastOrder += 1
        set(Turn(places: places[device], order: lastOrder, device: device))
    }

    private mutating func set(_ turn: Turn) {
        if lanes[turn.device] == nil { lanes[turn.device] = Lane(turn: turn) }
        lanes[turn.device]?.turn = turn
        turns.push(turn)
        guard turns.count > 2 * lanes.count + 64 else { return }
        turns = Heap()
        for turn in lanes.values.map(\.turn).sorted() { turns.push(turn) }
    }
}
