import TransferCommon
import TransferCore

// Renewals of session records. Like a real store, the store reads the record when the request begins, and writes it
// again when the request takes effect. In between another request may have removed the record.

extension VirtualStore {
    /// The record that a renewal finds when it begins; `nil` for every other request.
    func recordToRenew(_ request: StoreRequest) -> SessionRecord? {
        guard case .renewRecord(let key, let session) = request else { return nil }
        return records[RecordKey(key: Array(key.utf8), session: session)]
    }

    /// Lets a renewal take effect: writes the record again.
    func renew(_ record: SessionRecord, from origin: StoreOrigin) {
        let name = RecordKey(key: Array(record.key.utf8), session: record.session)
        if records[name] == nil, recordRemovers[name] == origin { onRevivedRecord?(record) }
        records[name] = record
        onChange?(record.key, nil)
    }
}
