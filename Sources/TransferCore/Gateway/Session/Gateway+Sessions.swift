import TransferCommon
import WireProtocol

// Room for sessions, and the delivery of the store's answers to sessions.

extension Gateway {
    /// Whether the device may begin another session.
    mutating func makeRoom(for device: AuthorisedDevice) -> Bool {
        let perDeviceMax = context.limits(of: device.fingerprint).sessionsPerDeviceMax
        return sessions.makeRoom(
            for: device.fingerprint, sessionsMax: limits.sessionsMax, perDeviceMax: perDeviceMax)
    }

    /// The device for which a request was made; `nil` if its session is gone.
    func device(of owner: RequestOwner) -> SHA256Digest? {
        switch owner {
        case .session(let id): sessions[id]?.device.fingerprint
        case .prove(_, let device), .readBack(let device): device
        }
    }

    /// Passes an answer of the store to a session.
    mutating func deliver(_ answer: StoreAnswer, to request: StoreRequestID, of id: SessionID) {
        var busy: Set<SessionID> = []
        if case .records(let records) = answer {
            busy = Set(records.map(\.session).filter { sessions[$0]?.isAdoptable == false })
        }
        sessions[id]?.receivedAnswer(answer, to: request, busy: busy, &context)
        adoptIfFound(by: id)
        settleSlots()
        tidy(id)
    }

    /// Called after each event that may have changed a session.
    mutating func tidy(_ id: SessionID) {
        sessions.tidy(id, limits, now: context.now)
    }
}
