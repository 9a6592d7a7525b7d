import TransferCommon
import WireProtocol

// The store's cleaning does not remove a session while the session's record is young. `RecordRenewals` decides in which
// order a record is renewed and removed.

extension GatewayContext {
    /// Renews the record of a session that is resumed or adopted, because all its parts may be old.
    mutating func resumed(_ session: SessionID, of device: AuthorisedDevice, key: String) {
        actions.append(.note(.resumed(session, device: device.name, key: key)))
        renewRecord(of: session, of: device, key: key)
    }

    /// Writes the record of a session again, unless a renewal is under way or too many calls for records wait.
    mutating func renewRecord(of session: SessionID, of device: AuthorisedDevice, key: String) {
        guard calls.hasRoomForRecords, renewals.begin(session) else { return }
        _ = request(.renewRecord(key: key, session: session), for: .renewal(session, device: device.fingerprint))
    }

    /// Removes the record of a session now, if the removal has waited until the store answered the renewal. A failed
    /// renewal is not repeated; the record then stays as old as it was.
    mutating func renewalAnswered(_ session: SessionID, of device: SHA256Digest) {
        guard let key = renewals.answered(session) else { return }
        removeRecord(of: session, device: device, key: key)
    }

    /// Removes the record of an ended session. If too many such calls wait, the record is left to the store's
    /// cleaning.
    mutating func removeRecord(of session: SessionID, device: SHA256Digest, key: String) {
        guard renewals.remove(session, key: key), calls.hasRoomForRecords else { return }
        _ = request(.removeRecord(key: key, session: session), for: .session(session, device: device))
    }
}
