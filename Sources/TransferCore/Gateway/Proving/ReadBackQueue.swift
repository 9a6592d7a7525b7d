import TransferCommon

/// The objects that are being read back, and those that wait (specification §9.6). The number of readings is bounded,
/// in all and for one device, and devices take turns (`DeviceTurns`). Readers of the same object share one reading.
///
///     from     event                                                          to
///     absent   a reader needs an object that is not being read                waiting
///     absent   a reader needs an object that is being read                    reading
///     waiting  its turn comes, and there is memory                            reading
///     waiting  the reading begins for another reader of the object            reading
///     waiting  the reader no longer needs the object                          absent
///     reading  the store has answered; the reader no longer needs the object  absent
///
/// - The table is about one reader. A reading is cancelled when its last reader has gone. It counts against the bounds
///   until the store has answered, also after the cancellation.
/// - A reading counts against the bounds of the device whose turn it was, and holds memory of this device.
/// - The caller bounds the number of readers: the numbers of sessions and PROVEs are bounded, and each of them waits
///   for one object at a time.
struct ReadBackQueue: Hashable {
    /// What needs the content of an object.
    enum Reader: Hashable {
        /// A session. Its look at the key is answered when the object has been read.
        case session(SessionID, look: StoreRequestID)
        case prove(Attachment)
    }

    /// The phases of a reader, as the table in the comment on `ReadBackQueue` lists them.
    enum Phase: Hashable {
        case waiting
        case reading
    }

    /// The object that a reading reads. Equal values with an ETag or a version have equal bytes, so one reading serves
    /// all readers of them.
    struct Content: Hashable {
        /// The whole key, prefix included.
        var key: String
        /// Size, ETag and version of the object, according to the look-up.
        var size: UInt64
        var etag: String
        var version: String
        /// The part size for which the reading computes the root digest.
        var partBytes: UInt64

        /// - Parameter object: the object that a look-up has found.
        init(key: String, _ object: ObjectSummary, partBytes: UInt64) {
            self.key = key
            self.size = object.size
            self.etag = object.etag
            self.version = object.version
            self.partBytes = partBytes
        }

        /// Whether an ETag or a version tells the object from a later one under the same key.
        var isNamed: Bool { !etag.isEmpty || !version.isEmpty }
    }

    /// One object to be read for a reader.
    struct Reading: Hashable {
        var reader: Reader
        var device: SHA256Digest
        var content: Content
    }

    /// A reading that has begun.
    struct Running: Hashable {
        fileprivate var subject: Subject
        var device: SHA256Digest
        /// The budget that the reading holds, in bytes.
        var reserved: UInt64
    }

    /// A reader's place in the order in which readers came.
    private typealias Ticket = UInt64

    /// Decides which readers share one reading: those with equal subjects.
    fileprivate struct Subject: Hashable {
        var content: Content
        /// The ticket of the only reader, if the content has neither ETag nor version; otherwise `nil`.
        var only: UInt64?
    }

    private struct Wish: Hashable {
        var subject: Subject
        var device: SHA256Digest
        var ticket: Ticket
    }

    private var wishes: [Reader: Wish] = [:]
    private var readers: [Ticket: Reader] = [:]
    private var tickets: [Subject: Set<Ticket>] = [:]
    private var turns = DeviceTurns<Ticket>()
    private var running: [StoreRequestID: Running] = [:]
    /// The readings that are not cancelled.
    private var current: [Subject: StoreRequestID] = [:]
    private var lastTicket: Ticket = 0

    /// The phase of a reader; `nil` if it needs no object.
    subscript(reader: Reader) -> Phase? {
        wishes[reader].map { current[$0.subject] == nil ? .waiting : .reading }
    }

    /// For each reading, its device and the bytes of the budget that the reading holds.
    var bytesReserved: [(device: SHA256Digest, bytes: UInt64)] { running.values.map { ($0.device, $0.reserved) } }

    /// Adds a reader: a PROVE or a session that needs the content of an object.
    mutating func add(_ reading: Reading) {
        lastTicket += 1
        let subject = Subject(content: reading.content, only: reading.content.isNamed ? nil : lastTicket)
        wishes[reading.reader] = Wish(subject: subject, device: reading.device, ticket: lastTicket)
        readers[lastTicket] = reading.reader
        tickets[subject, default: []].insert(lastTicket)
        if current[subject] == nil { turns.add(lastTicket, of: reading.device) }
    }

    /// Begins as many readings as allowed.
    mutating func begin(_ context: inout GatewayContext) {
        guard turns.waitingCount > 0 else { return }
        let bounds = DeviceTurns<Ticket>.Bounds(
            inAll: context.limits.readBacksMax, ofDevice: context.limits.readBacksPerDeviceMax)
        let bytes = context.limits.readBackBytes
        let (readers, wishes) = (readers, wishes)
        func wish(_ ticket: Ticket) -> Wish? { readers[ticket].flatMap { wishes[$0] } }
        // If there is no memory now, the reading waits. Memory becomes free only when a part or a reading ends, and
        // this method is called after each such event.
        func attempt(_ ticket: Ticket) -> DeviceTurns<Ticket>.Attempt {
            guard let device = wish(ticket)?.device else { return .lacksOfAll }
            if context.reserve(bytes, device: device) { return .begins }
            let deviceMax = context.limits(of: device).budgetBytesPerDevice
            return context.reservations.isWithinOwnLimit(bytes, device: device, deviceMax: deviceMax)
                ? .lacksOfAll : .lacksOfDevice
        }
        while let ticket = turns.next(bounds, attempt: attempt) {
            guard let wish = wish(ticket) else { return }
            let content = wish.subject.content
            let request = context.request(
                .readObject(key: content.key, size: content.size, partBytes: content.partBytes),
                for: .readBack(device: wish.device))
            running[request] = Running(subject: wish.subject, device: wish.device, reserved: bytes)
            current[wish.subject] = request
            for other in tickets[wish.subject] ?? [] { turns.leave(other) }
        }
    }

    /// Ends a reading that the store has answered; returns it with the readers that get the answer, in the order in
    /// which they came. `nil` if the request is no reading.
    mutating func ended(_ request: StoreRequestID) -> (reading: Running, readers: [Reader])? {
        guard let ended = running.removeValue(forKey: request) else { return nil }
        turns.freePlace(of: ended.device)
        guard current[ended.subject] == request else { return (ended, []) }
        current[ended.subject] = nil
        let served = (tickets.removeValue(forKey: ended.subject) ?? []).sorted().compactMap { readers[$0] }
        for reader in served {
            guard let wish = wishes.removeValue(forKey: reader) else { continue }
            readers[wish.ticket] = nil
        }
        return (ended, served)
    }

    /// Removes a reader that no longer needs its object. Returns whether the reader was in the queue, and the call to
    /// the store to cancel if it was the last one.
    mutating func leave(_ reader: Reader) -> (wasThere: Bool, cancelled: StoreRequestID?) {
        guard let wish = wishes.removeValue(forKey: reader) else { return (false, nil) }
        readers[wish.ticket] = nil
        turns.leave(wish.ticket)
        tickets[wish.subject]?.remove(wish.ticket)
        guard tickets[wish.subject]?.isEmpty != false else { return (true, nil) }
        tickets[wish.subject] = nil
        return (true, current.removeValue(forKey: wish.subject))
    }
}
