import TransferCommon

// Which objects are read back, and in which order (specification §9.6): so many at once in all and for one device. The
// devices take turns, those of which fewer are being read first. Each device's objects are read in the order in which
// they were asked for.

/// The objects that are being read back, and those that wait for it.
///
/// The caller bounds how many wait: sessions and PROVEs are bounded, and each of them waits for one object at a time.
struct ReadBackQueue: Hashable {
    /// For whom an object is read.
    enum Reader: Hashable {
        /// A session whose look at the key found an object; the look is answered when the object has been read.
        case session(SessionID, look: StoreRequestID)
        case prove(Attachment)
    }

    /// One object to be read.
    struct Reading: Hashable {
        var reader: Reader
        var device: SHA256Digest
        /// Whole, prefix included.
        var key: String
        /// The object's, as the look-up told it.
        var size: UInt64
        /// By which the root digest is computed.
        var partBytes: UInt64
    }

    /// A reading that has begun.
    struct Running: Hashable {
        /// `nil` once its PROVE has ended. The reading counts until the store's call has ended.
        var reader: Reader?
        var device: SHA256Digest
        /// Budget held.
        var reserved: UInt64
        /// The store's call has been cancelled.
        var isAbandoned = false
    }

    private var waiting: [SHA256Digest: [Reading]] = [:]
    /// Devices with an object that waits; the one whose turn is next comes first.
    private var turns: [SHA256Digest] = []
    private(set) var running: [StoreRequestID: Running] = [:]
    private var runningCounts = Tally<SHA256Digest>()

    var waitingCount: Int { waiting.values.reduce(0) { $0 + $1.count } }

    mutating func add(_ reading: Reading) {
        if waiting[reading.device] == nil { turns.append(reading.device) }
        waiting[reading.device, default: []].append(reading)
    }

    /// Takes the object that may be read now out of the queue; `nil` where none may.
    mutating func next(_ limits: GatewayLimits) -> Reading? {
        // The first of those of which the fewest are being read.
        let counts = turns.map { runningCounts[$0] }
        guard running.count < limits.readBacksMax, let fewest = counts.min(), fewest < limits.readBacksPerDeviceMax,
            let turn = counts.firstIndex(of: fewest)
        else { return nil }
        let device = turns.remove(at: turn)
        guard var readings = waiting.removeValue(forKey: device), !readings.isEmpty else { return nil }
        let next = readings.removeFirst()
        if !readings.isEmpty {
            waiting[device] = readings
            turns.append(device)
        }
        return next
    }

    /// Puts an object back to the front of its device's queue: it cannot be read yet.
    mutating func putBack(_ reading: Reading) {
        turns.removeAll { $0 == reading.device }
        turns.insert(reading.device, at: 0)
        waiting[reading.device, default: []].insert(reading, at: 0)
    }

    mutating func began(_ reading: Reading, request: StoreRequestID, reserved: UInt64) {
        running[request] = Running(reader: reading.reader, device: reading.device, reserved: reserved)
        runningCounts.add(reading.device)
    }

    /// The store's call has ended.
    mutating func ended(_ request: StoreRequestID) -> Running? {
        guard let ended = running.removeValue(forKey: request) else { return nil }
        runningCounts.remove(ended.device)
        return ended
    }

    /// The readings under way that have not been abandoned, in order.
    var awaited: [(request: StoreRequestID, reader: Reader)] {
        guard !running.isEmpty else { return [] }
        return running.compactMap { request, reading in
            reading.isAbandoned ? nil : reading.reader.map { (request, $0) }
        }.sorted { $0.request < $1.request }
    }

    /// The store's call is being cancelled, because its session or PROVE does not need the result any more.
    mutating func abandon(_ request: StoreRequestID) {
        running[request]?.isAbandoned = true
    }

    /// A PROVE has ended, and its reading with it.
    ///
    /// - Returns: the store's call that reads for it, where it has begun. It is to be cancelled.
    mutating func remove(_ reader: Reader, device: SHA256Digest) -> StoreRequestID? {
        if let request = running.first(where: { $0.value.reader == reader })?.key {
            running[request]?.reader = nil
            running[request]?.isAbandoned = true
            return request
        }
        guard var readings = waiting.removeValue(forKey: device) else { return nil }
        readings.removeAll { $0.reader == reader }
        if readings.isEmpty {
            turns.removeAll { $0 == device }
        } else {
            waiting[device] = readings
        }
        return nil
    }
}
