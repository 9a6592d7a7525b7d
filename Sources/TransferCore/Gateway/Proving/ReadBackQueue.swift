import TransferCommon

// Which objects are read back, and in which order (specification §9.6). The number of readings is bounded, in all and
// for one device. Devices take turns; the device with the fewest readings comes first. The objects of one device are
// read in the order in which they were requested.

/// The objects that are being read back, and those that wait.
///
/// The caller bounds the length of the queue: the numbers of sessions and PROVEs are bounded, and each of them waits
/// for one object at a time.
struct ReadBackQueue: Hashable {
    /// What needs the content of an object.
    enum Reader: Hashable {
        /// A session. Its look at the key is answered when the object has been read.
        case session(SessionID, look: StoreRequestID)
        case prove(Attachment)
    }

    /// One object to be read.
    struct Reading: Hashable {
        var reader: Reader
        var device: SHA256Digest
        /// The whole key, prefix included.
        var key: String
        /// Size of the object, according to the look-up.
        var size: UInt64
        /// Part size of the root digest.
        var partBytes: UInt64
    }

    /// A reading that has begun.
    struct Running: Hashable {
        fileprivate(set) var claim: Claim
        var device: SHA256Digest
        /// The budget that the reading holds, in bytes.
        var reserved: UInt64
    }

    /// Who needs the content of an object that is being read. A reading counts against the limits until the call to the
    /// store has ended.
    enum Claim: Hashable {
        case awaited(Reader)
        /// The reader no longer needs the content, and the call to the store was cancelled.
        case abandoned(Reader)
        /// The PROVE has ended, and the call to the store was cancelled.
        case unclaimed

        var reader: Reader? {
            switch self {
            case .awaited(let reader), .abandoned(let reader): reader
            case .unclaimed: nil
            }
        }
    }

    private var waiting: [SHA256Digest: [Reading]] = [:]
    /// Devices for which an object waits, in the order of their turns.
    private var turns: [SHA256Digest] = []
    private var running: [StoreRequestID: Running] = [:]
    private var runningCounts = Tally<SHA256Digest>()

    /// Bytes of the budget that the readings hold, for each reading's device.
    var bytesReserved: [(device: SHA256Digest, bytes: UInt64)] { running.values.map { ($0.device, $0.reserved) } }

    /// A PROVE needs the content of an object, or a session does.
    mutating func add(_ reading: Reading) {
        if waiting[reading.device] == nil { turns.append(reading.device) }
        waiting[reading.device, default: []].append(reading)
    }

    /// Begins as many readings as allowed, and cancels each reading whose session or PROVE no longer waits for it.
    ///
    /// - Returns: a reader that has stopped waiting before its reading began. The caller answers it, and calls this
    ///   method again. `nil` if no further reading can begin.
    mutating func begin(
        for sessions: SessionTable, _ proves: ProveTable, _ context: inout GatewayContext
    ) -> Reader? {
        func isAwaited(_ reader: Reader) -> Bool {
            switch reader {
            case .session(let id, let look): sessions[id].map { $0.awaitsLook(look) && !$0.isLookAbandoned } ?? false
            case .prove(let attachment): proves.awaitsReading(at: attachment)
            }
        }
        for (request, reader) in awaited where !isAwaited(reader) {
            running[request]?.claim = .abandoned(reader)
            context.actions.append(.cancel(request))
        }
        while let reading = next(context.limits) {
            guard isAwaited(reading.reader) else { return reading.reader }
            let bytes = context.limits.readBackBytes
            // If there is no memory now, the reading waits. Memory becomes free only when a part or a reading ends, and
            // this method is called after each such event.
            guard context.reserve(bytes, device: reading.device) else {
                putBack(reading)
                return nil
            }
            let request = context.request(
                .readObject(key: reading.key, size: reading.size, partBytes: reading.partBytes),
                for: .readBack(device: reading.device))
            running[request] = Running(
                claim: .awaited(reading.reader), device: reading.device, reserved: bytes)
            runningCounts.add(reading.device)
        }
        return nil
    }

    /// Takes the next object out of the queue; `nil` if none may be read now.
    private mutating func next(_ limits: GatewayLimits) -> Reading? {
        // Chooses, among the devices with the fewest readings, the one whose turn comes first.
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

    /// Puts an object back to the front of its device's queue, because there is no memory for it.
    private mutating func putBack(_ reading: Reading) {
        turns.removeAll { $0 == reading.device }
        turns.insert(reading.device, at: 0)
        waiting[reading.device, default: []].insert(reading, at: 0)
    }

    /// The call to the store has ended.
    mutating func ended(_ request: StoreRequestID) -> Running? {
        guard let ended = running.removeValue(forKey: request) else { return nil }
        runningCounts.remove(ended.device)
        return ended
    }

    /// The running readings that are not abandoned, in order.
    private var awaited: [(request: StoreRequestID, reader: Reader)] {
        guard !running.isEmpty else { return [] }
        return running.compactMap { request, reading in
            if case .awaited(let reader) = reading.claim { (request, reader) } else { nil }
        }.sorted { $0.request < $1.request }
    }

    /// A PROVE has ended, so its reading is removed from the queue, or is no longer needed.
    ///
    /// - Returns: the call to the store to cancel, if the reading has begun.
    mutating func remove(_ reader: Reader, device: SHA256Digest) -> StoreRequestID? {
        if let request = running.first(where: { $0.value.claim.reader == reader })?.key {
            running[request]?.claim = .unclaimed
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
