package import TransferCommon
package import WireProtocol

/// The questions to the store before a session is open (specification §6.3, §8.1, §8.3).
///
///     from             event                                                      to
///     lookingUp        nothing under the key ends the session; several parts      findingRecords
///     lookingUp        nothing under the key ends the session; one part           open
///     lookingUp        the store fails                                            failed
///     findingRecords   no record of a session to adopt                            recording
///     findingRecords   a record of this very session                              listing
///     findingRecords   a record of a session to adopt                             probing
///     findingRecords   the store fails                                            failed
///     probing          the store lists the upload of that session                 found
///     probing          the store does not know the upload; another is left        probing
///     probing          the store does not know the upload; no session is left     recording
///     probing          the store fails                                            failed
///     found            the session has come into use; another is left             probing
///     found            the session has come into use; no session is left          recording
///     recording        the record is written                                      creating
///     recording        the store fails                                            failed
///     creating         the upload is created                                      recordingUpload
///     creating         the store fails                                            failed
///     recordingUpload  the record is written                                      open
///     recordingUpload  the store fails                                            failed
///     listing          the store lists the parts                                  open
///     listing          the store does not know the upload                         searching
///     listing          the store fails                                            failed
///
/// - `open`, `searching` and `failed` are phases of the session, not of this machine. SESSION OPEN begins with
///   `lookingUp`, and so does RESUME QUERY of a one-part file. RESUME QUERY of several parts begins with `listing`.
/// - The record is written before the upload is created, and again with the upload's id. So the store's cleaning finds
///   a record for every upload.
/// - The gateway, not this machine, adopts a session that was found, because only the gateway knows whether that
///   session is in use.
package struct SessionOpening: Hashable, Sendable {
    /// The phases of the opening, as the table in the comment on `SessionOpening` lists them.
    package enum Phase: Hashable, Sendable {
        case lookingUp
        case findingRecords
        /// The store is asked for the parts of an unfinished session with equal terms; `left` are further ones.
        case probing(Candidate, left: [Candidate])
        /// The store has listed the parts of the unfinished session.
        case found(Candidate, listed: [PartListEntry], left: [Candidate])
        case recording
        case creating
        case recordingUpload
        case listing(upload: String)
    }

    /// An unfinished session that may take the place of the opening one.
    package struct Candidate: Hashable, Sendable {
        package let record: SessionRecord
        package let upload: String

        /// `nil` if the record names no upload.
        package init?(_ record: SessionRecord) {
            guard let upload = record.upload else { return nil }
            self.record = record
            self.upload = upload
        }
    }

    /// What the session does after an answer.
    package enum OnAnswer: Hashable, Sendable {
        /// The session judges the object under the key and, if it can continue, calls `proceed`.
        case judge(ObjectSummary?)
        /// The session chooses among the records, and calls `resume` or `probe`.
        case choose([SessionRecord])
        /// The session asks the store `question`.
        case ask
        /// The gateway adopts the session that was found, or calls `passOver`.
        case adopt
        /// The session keeps the id of the upload, and asks `question`.
        case created(upload: String)
        /// The session is open; its upload is new.
        case opened
        /// The session is open; the store has these parts.
        case resumed([PartListEntry])
        case uploadUnknown
        case failed
    }

    package private(set) var phase: Phase

    private init(_ phase: Phase) {
        self.phase = phase
    }

    /// Begins with a look at the key, which even an unconditional session needs: the object may be its own.
    package static var lookingUp: SessionOpening { SessionOpening(.lookingUp) }

    /// Begins with a listing of the parts of the session's upload.
    package static func listing(upload: String) -> SessionOpening { SessionOpening(.listing(upload: upload)) }

    /// Whether an earlier phase has written to the store. The call of the current phase may not have begun.
    package var hasWritten: Bool {
        switch phase {
        case .lookingUp, .findingRecords, .probing, .found, .recording, .listing: false
        case .creating, .recordingUpload: true
        }
    }

    /// The request to the store in this phase.
    package func question(_ facts: SessionRecord, plan: PartPlan) -> StoreRequest {
        switch phase {
        case .lookingUp: .lookUpObject(key: facts.key, plan: plan)
        case .findingRecords: .findRecords(key: facts.key)
        case .probing(let candidate, _), .found(let candidate, _, _):
            .listParts(key: candidate.record.key, upload: candidate.upload)
        case .recording, .recordingUpload: .writeRecord(facts)
        case .creating: .createUpload(key: facts.key, metadata: facts.objectMetadata)
        case .listing(let upload): .listParts(key: facts.key, upload: upload)
        }
    }

    /// Judges the store's answer to `question`.
    package mutating func answered(_ answer: StoreAnswer) -> OnAnswer {
        switch (phase, answer) {
        case (.lookingUp, .object(let object)): return .judge(object)
        case (.findingRecords, .records(let records)): return .choose(records)
        case (.probing(let candidate, let left), .parts(let entries)):
            phase = .found(candidate, listed: entries, left: left)
            return .adopt
        case (.probing(_, let left), .failed(.uploadUnknown)):
            probe(left)
            return .ask
        case (.recording, .done):
            phase = .creating
            return .ask
        case (.creating, .uploadCreated(let upload)):
            phase = .recordingUpload
            return .created(upload: upload)
        case (.recordingUpload, .done): return .opened
        case (.listing, .parts(let entries)): return .resumed(entries)
        case (.listing, .failed(.uploadUnknown)): return .uploadUnknown
        default: return .failed
        }
    }

    /// Continues after the look at the key; returns whether `question` is due, and `false` if the session is open.
    package mutating func proceed(isOnePart: Bool) -> Bool {
        if !isOnePart { phase = .findingRecords }
        return !isOnePart
    }

    /// Continues the session by its own record: the store lists the parts of its upload next.
    package mutating func resume(upload: String) {
        phase = .listing(upload: upload)
    }

    /// Asks the store for the upload of each candidate in turn, and passes over those whose upload is gone. Without a
    /// candidate, the session begins an upload of its own.
    package mutating func probe(_ candidates: [Candidate]) {
        guard let first = candidates.first else {
            phase = .recording
            return
        }
        phase = .probing(first, left: Array(candidates.dropFirst()))
    }

    /// Passes over the session that was found, because it has come into use; the next candidate takes its place.
    package mutating func passOver() {
        guard case .found(_, _, let left) = phase else { return }
        probe(left)
    }
}
