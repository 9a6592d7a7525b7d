import TransferCommon
import WireProtocol

// Enrolment (specification §5.2): a device that no list names uses an invitation.

/// What the shell has found out about an invitation.
package enum EnrolmentOutcome: Hashable, Sendable {
    /// The device is on the list now.
    case registered(AuthorisedDevice)
    /// No invitation that is still valid has the secret.
    case invalid
    /// The shell could not read the invitations, or could not write the device list.
    case unavailable
}

extension Gateway {
    /// Answers ENROL, which arrives in place of HELLO. A device on the list repeats it, because the answer was lost.
    mutating func receivedEnrol(_ enrol: Enrol, from id: ConnectionID) {
        if let device = context.devices[enrol.fingerprint] { return finishEnrolment(of: device, on: id) }
        let deadline = context.now + context.limits.helloLimit
        connections[id]?.enrols(until: deadline)
        connections.check(at: deadline)
        context.actions.append(.enrol(id, fingerprint: enrol.fingerprint, enrol.secret))
    }

    /// Answers the peer after the look-up of its invitation. Does nothing if the connection has ended meanwhile.
    mutating func enrolled(_ outcome: EnrolmentOutcome, on id: ConnectionID) {
        guard case .enrolling = connections[id]?.phase else { return }
        switch outcome {
        case .registered(let device): finishEnrolment(of: device, on: id)
        case .invalid: end(id, .invitationInvalid, "the secret is not that of a live invitation")
        case .unavailable: end(id, .internal, "the gateway could not look at its invitations")
        }
    }

    private mutating func finishEnrolment(of device: AuthorisedDevice, on id: ConnectionID) {
        let enrolled = Enrolled(name: device.name, prefix: device.prefix)
        context.actions.append(.send(id, .connection, .enrolled(enrolled)))
        close(id)
    }
}
