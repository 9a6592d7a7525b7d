package import TransferCommon

/// The renewals of session records that the store has not answered, and the removals that wait for them (specification
/// §11.2).
///
///     from        event                                                  to
///     idle        a session is resumed or adopted                        renewing
///     renewing    the store answers                                      idle
///     renewing    the record is to be removed                            superseded
///     superseded  the store answers, and the record is removed           idle
///
/// A renewal reads the record and writes it again. If the record were removed between the two, the renewal would bring
/// it back. So the removal waits until the store has answered the renewal. A session that is not in the table is idle.
package struct RecordRenewals: Hashable, Sendable {
    /// The phases of a renewal, as the table in the comment on `RecordRenewals` lists them.
    package enum Phase: Hashable, Sendable {
        case renewing
        /// The record under this key is removed after the answer.
        case superseded(key: String)
    }

    private var phases: [SessionID: Phase] = [:]

    /// A gateway without renewals.
    package init() {}

    /// The renewal of a session's record; `nil` if the session is idle.
    package subscript(session: SessionID) -> Phase? { phases[session] }

    /// Begins a renewal for a session that is resumed, adopted or used again; returns `false` if one is under way.
    package mutating func begin(_ session: SessionID) -> Bool {
        guard phases[session] == nil else { return false }
        phases[session] = .renewing
        return true
    }

    /// Decides when a record is removed: returns `true` for now, `false` if the removal waits for a renewal.
    package mutating func remove(_ session: SessionID, key: String) -> Bool {
        guard phases[session] != nil else { return true }
        phases[session] = .superseded(key: key)
        return false
    }

    /// Ends a renewal that the store has answered; returns the key of the record to remove now, if a removal waited.
    package mutating func answered(_ session: SessionID) -> String? {
        guard case .superseded(let key) = phases.removeValue(forKey: session) else { return nil }
        return key
    }
}
