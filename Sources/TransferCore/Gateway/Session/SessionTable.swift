import TransferCommon

/// The sessions that the gateway remembers, and when each of them has something to do.
///
/// - A session that has ended is remembered for a while, for an agent that has not received the answer. If room is
///   needed for new sessions, the oldest remembered ones are forgotten: the store still has the object.
/// - Wakes are never removed from the queue before they are due. A wake does not count if it differs from `planned`,
///   because an earlier wake was planned for the session or the session has ended.
struct SessionTable: Hashable {
    private var sessions: [SessionID: GatewaySession] = [:]
    private var counts = Tally<SHA256Digest>()
    private var wakes = Heap<SessionWake>()
    private var planned: [SessionID: Instant] = [:]

    /// Only `add`, `remove` and `tidy` add or remove sessions; through the subscript a session changes itself.
    subscript(id: SessionID) -> GatewaySession? {
        get { sessions[id] }
        _modify { yield &sessions[id] }
    }

    var count: Int { sessions.count }
    var values: Dictionary<SessionID, GatewaySession>.Values { sessions.values }

    func count(of device: SHA256Digest) -> Int { counts[device] }

    mutating func add(_ session: GatewaySession) {
        sessions[session.id] = session
        counts.add(session.device.fingerprint)
    }

    mutating func remove(_ session: GatewaySession) {
        sessions[session.id] = nil
        planned[session.id] = nil
        counts.remove(session.device.fingerprint)
    }

    /// Forgets sessions that are only remembered, if there is no room for another session.
    ///
    /// - Returns: whether the device may begin a session.
    mutating func makeRoom(for device: SHA256Digest, sessionsMax: Int, perDeviceMax: Int) -> Bool {
        func hasOwnRoom() -> Bool { counts[device] < perDeviceMax }
        func hasRoom() -> Bool { sessions.count < sessionsMax && hasOwnRoom() }
        guard !hasRoom() else { return true }
        let isDeviceFull = !hasOwnRoom()
        let remembered = sessions.values.filter { session in
            session.isOnlyRemembered && (!isDeviceFull || session.device.fingerprint == device)
        }
        // Forgets half of the remembered sessions at once, so that this search is not repeated for every new file.
        for session in remembered.sorted(by: GatewaySession.isOlder).prefix((remembered.count + 1) / 2) {
            remove(session)
        }
        return hasRoom()
    }

    /// Called after each event that may have changed a session. Forgets the session if nothing is left to remember;
    /// otherwise plans the next moment at which it has something to do.
    mutating func tidy(_ id: SessionID, _ limits: GatewayLimits, now: Instant) {
        guard let session = sessions[id] else { return }
        guard !session.isForgettable(limits, now: now) else { return remove(session) }
        guard let deadline = session.nextDeadline(limits) else { return }
        if let planned = planned[id], planned <= deadline { return }
        planned[id] = deadline
        wakes.push(SessionWake(at: deadline, session: id))
    }

    // MARK: Time

    /// When a session may have something to do.
    var nextDeadline: Instant? { wakes.first?.at }

    /// Takes the wakes that are due out of the queue. The caller passes each to `take`.
    mutating func takeDue(now: Instant) -> [SessionWake] {
        var due: [SessionWake] = []
        while let wake = wakes.first, wake.at <= now, let first = wakes.popFirst() { due.append(first) }
        return due
    }

    /// Takes a wake that is due.
    ///
    /// - Returns: whether the wake still counts.
    mutating func take(_ wake: SessionWake) -> Bool {
        guard planned[wake.session] == wake.at else { return false }
        planned[wake.session] = nil
        return true
    }
}

/// When a session has something to do.
struct SessionWake: Hashable, Comparable {
    var at: Instant
    var session: SessionID

    static func < (left: SessionWake, right: SessionWake) -> Bool {
        (left.at, left.session) < (right.at, right.session)
    }
}
