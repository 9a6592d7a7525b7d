import WireProtocol

// How a device that is on no list yet gets onto it, by an invitation (specification §5.2).

extension Gateway {
    /// ENROL in place of HELLO. A device that is on the list already asks again because an answer was lost.
    mutating func receivedEnrol(_ enrol: Enrol, from id: ConnectionID) {
        if let device = devices[enrol.fingerprint] { return finishEnrolment(of: device, on: id) }
        let deadline = context.now + context.limits.helloLimit
        connections[id]?.phase = .enrolling(deadline: deadline)
        checkConnections(by: deadline)
        context.actions.append(.enrol(id, fingerprint: enrol.fingerprint, enrol.secret))
    }

    /// The invitation was looked at.
    ///
    /// - Parameter device: as it stands on the list now; `nil` where there was no live invitation with that secret.
    package mutating func enrolled(_ device: AuthorisedDevice?, on id: ConnectionID, now: Instant) {
        context.now = now
        guard case .enrolling = connections[id]?.phase else { return }
        guard let device else { return end(id, .invitationInvalid) }
        finishEnrolment(of: device, on: id)
    }

    private mutating func finishEnrolment(of device: AuthorisedDevice, on id: ConnectionID) {
        let enrolled = Enrolled(name: device.name, prefix: device.prefix)
        context.actions.append(.send(id, .connection, .enrolled(enrolled)))
        context.actions.append(.note(.enrolled(id, device: device.name)))
        close(id)
    }
}
