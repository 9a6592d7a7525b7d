import TransferCommon
import WireProtocol

// Which sessions the gateway remembers, and which give way to others.

extension Gateway {
    /// Whether another session may begin. Those that have ended and are only remembered, for an agent that lost the
    /// answer, give way, the oldest first: the store remembers too.
    mutating func makeRoom(for device: AuthorisedDevice) -> Bool {
        if !hasRoom(for: device) {
            let isDeviceFull = !hasOwnRoom(for: device)
            let remembered = sessions.values.filter { session in
                session.isOnlyRemembered && (!isDeviceFull || session.device.fingerprint == device.fingerprint)
            }
            // Half of them at once, so that this is not done for every file.
            for session in remembered.sorted(by: GatewaySession.isOlder).prefix((remembered.count + 1) / 2) {
                forget(session)
            }
        }
        return hasRoom(for: device)
    }

    private func hasRoom(for device: AuthorisedDevice) -> Bool {
        sessions.count < context.limits.sessionsMax && hasOwnRoom(for: device)
    }

    private func hasOwnRoom(for device: AuthorisedDevice) -> Bool {
        (sessionCounts[device.fingerprint] ?? 0) < context.limits(of: device.fingerprint).sessionsPerDeviceMax
    }

    mutating func forget(_ session: GatewaySession) {
        sessions[session.id] = nil
        let count = (sessionCounts[session.device.fingerprint] ?? 1) - 1
        sessionCounts[session.device.fingerprint] = count > 0 ? count : nil
    }

    mutating func add(_ session: GatewaySession) {
        sessions[session.id] = session
        sessionCounts[session.device.fingerprint, default: 0] += 1
    }

    /// The device for which a request was made; `nil` where its session is gone.
    func device(of owner: RequestOwner) -> SHA256Digest? {
        switch owner {
        case .session(let id): sessions[id]?.device.fingerprint
        case .prove(_, let device), .readBack(let device): device
        }
    }

    /// Hands a session the answer to its request.
    mutating func deliver(_ answer: StoreAnswer, to request: StoreRequestID, of id: SessionID) {
        var busy: Set<SessionID> = []
        if case .records(let records) = answer {
            busy = Set(records.map(\.session).filter { sessions[$0]?.isAdoptable == false })
        }
        sessions[id]?.receivedAnswer(answer, to: request, isBusy: busy.contains, &context)
        adoptIfFound(by: id)
        settleSlots()
        tidy(id)
    }

    /// After whatever may have changed a session: it is forgotten if there is nothing left to remember, or else looked
    /// at again in time.
    mutating func tidy(_ id: SessionID) {
        guard let session = sessions[id] else { return }
        guard !session.isForgettable(context) else {
            forget(session)
            return
        }
        guard let deadline = session.nextDeadline(context.limits) else { return }
        if let planned = session.wakesAt, planned <= deadline { return }
        sessions[id]?.wakesAt = deadline
        wakes.push(SessionWake(at: deadline, session: id))
    }
}

/// When a session has something to do.
struct SessionWake: Hashable, Comparable {
    var at: Instant
    var session: SessionID

    static func < (left: SessionWake, right: SessionWake) -> Bool {
        (left.at, left.session.high, left.session.low) < (right.at, right.session.high, right.session.low)
    }
}
