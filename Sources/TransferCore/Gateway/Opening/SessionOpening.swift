package import TransferCommon
package import WireProtocol

/// What the store is asked before a session is open (specification §6.3, §8.1, §8.3).
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
///     probing          the store does not know it, and there is a further one     probing
///     probing          the store does not know it, and there is no further one    recording
///     probing          the store fails                                            failed
///     found            the session is in use by now, and there is a further one   probing
///     found            the session is in use by now, and there is no further one  recording
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
///   `lookingUp`; so does RESUME QUERY of a one-part file, and that of several parts with `listing`.
/// - The record is written before the upload is created, and again with the upload's id: cleaning finds every upload by
///   a record.
/// - A found session is adopted by the gateway, which knows whether it is in use.
package struct SessionOpening: Hashable, Sendable {
    /// The phases of the table above.
    package enum Phase: Hashable, Sendable {
        case lookingUp
        case findingRecords
        /// The store is asked for the parts of an unfinished session with equal terms.
        case probing(Candidate, left: [Candidate])
        /// The store has these parts of the session.
        case found(Candidate, listed: [PartListEntry], left: [Candidate])
        case recording
        case creating
        case recordingUpload
        case listing(upload: String)
    }

    /// An unfinished session that the opening one may give way to.
    package struct Candidate: Hashable, Sendable {
        package let record: SessionRecordFacts
        package let upload: String

        /// `nil` if the record names no upload.
        package init?(_ record: SessionRecordFacts) {
            guard let upload = record.upload else { return nil }
            self.record = record
            self.upload = upload
        }
    }

    /// What the session does after an answer.
    package enum OnAnswer: Hashable, Sendable {
        /// Judge the object under the key. If the session continues: `proceed`.
        case judge(ObjectFacts?)
        /// Choose among the records: `resume` or `probe`.
        case choose([SessionRecordFacts])
        /// Ask the store `question`.
        case ask
        /// Let the gateway adopt the found session, or pass it over.
        case adopt
        /// Keep the id of the upload, and ask `question`.
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

    /// Begins with a look at the key, also if the session may replace any object: the object may be its own.
    package static var lookingUp: SessionOpening { SessionOpening(.lookingUp) }

    /// Begins with the parts of the session's upload.
    package static func listing(upload: String) -> SessionOpening { SessionOpening(.listing(upload: upload)) }

    /// What the store is asked in this phase.
    package func question(_ facts: SessionRecordFacts, plan: PartPlan) -> StoreRequest {
        switch phase {
        case .lookingUp: .lookUpObject(key: facts.key, plan: plan)
        case .findingRecords: .findRecords(key: facts.key)
        case .probing(let candidate, _), .found(let candidate, _, _):
            .listParts(key: candidate.record.key, upload: candidate.upload)
        case .recording, .recordingUpload: .writeRecord(facts)
        case .creating: .createUpload(key: facts.key, label: facts.label)
        case .listing(let upload): .listParts(key: facts.key, upload: upload)
        }
    }

    /// The store has answered `question`.
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

    /// Nothing under the key ends the session.
    ///
    /// - Returns: whether the store is asked `question`; not, if the session is open now.
    package mutating func proceed(isOnePart: Bool) -> Bool {
        if !isOnePart { phase = .findingRecords }
        return !isOnePart
    }

    /// There is a record of this very session.
    package mutating func resume(upload: String) {
        phase = .listing(upload: upload)
    }

    /// Asks for the uploads of the candidates one after another, the first one now; without any the session begins an
    /// upload of its own. The record of an upload that is gone says nothing, and does no harm.
    package mutating func probe(_ candidates: [Candidate]) {
        guard let first = candidates.first else {
            phase = .recording
            return
        }
        phase = .probing(first, left: Array(candidates.dropFirst()))
    }

    /// The found session is in use at this gateway by now.
    package mutating func passOver() {
        guard case .found(_, _, let left) = phase else { return }
        probe(left)
    }
}
