package import TransferCommon
package import WireProtocol

/// What a session does next. The machines of a session return it, and `GatewaySession.apply` carries it out.
package enum SessionStep: Hashable, Sendable {
    /// Ask the store, and continue this work with the answer.
    case ask(SessionWork, StoreRequest)
    /// Ask nothing: the work waits for the end of a pause, for the answers to requests that were given up, or for the
    /// gateway, which adopts a session.
    case rest(SessionWork)
    /// Take parts. The session's upload is not new, or the file has one part and no upload.
    case open
    /// Take parts of a new upload.
    case begin
    /// Take the parts that the store does not have yet.
    case resume(stored: [PartListEntry])
    /// Take the file's only part again: the gateway lost its bytes. `owner`: its slot; `nil` if the connection is
    /// lost.
    case takeAgain(owner: Attachment?)
    /// Take these parts again, because the store holds them with other content or another ETag, or does not hold them.
    case want([PartNumber])
    /// Look for the session's object. `isPatient`: another gateway may be completing the upload. `content`: evidence
    /// of the content that the session's object would have; `.none` if no completion was under way.
    case search(ObjectSearch.Cause, isPatient: Bool, retry: SessionSearch.Retry, content: ContentEvidence)
    /// End the session: the store has its object, of `bytes` bytes. `leavesUpload`: whether another upload may have
    /// made the object, so that the session's own upload may be left in the store.
    case settle(StoredObject, bytes: UInt64, leavesUpload: Bool)
    /// End the session: the key holds an object that it may not replace, or that the agent compares first.
    case exists(ObjectSummary)
    /// End the session: the store has neither its upload nor its object.
    case lose
    /// End the session: it cannot continue.
    case refuse(SessionRefused)
    /// End the session: no slot carries it, and it has changed nothing in the store.
    case forget
    /// End the session: nothing of it is left in the store after ABORT.
    case finishAbort
}

/// What a session does with the store while it takes no parts. Each case's machine decides what the store is asked.
package enum SessionWork: Hashable, Sendable {
    case opening(SessionOpening)
    /// The store lists the upload, because parts of it have failed in a row (`UploadDoubt`).
    case checking
    case searching(SessionSearch)
    case completing(Completion)
    case aborting(UploadAbort)

    /// When `resumed` is due; `nil` if the work does not pause.
    package var nextDeadline: Instant? {
        switch self {
        case .opening, .checking: nil
        case .searching(let search): search.looks.nextDeadline
        case .completing(let completion): completion.nextDeadline
        case .aborting(let abort): abort.nextDeadline
        }
    }

    /// Whether the work carries out a COMPLETE of several parts.
    package var isOfComplete: Bool {
        switch self {
        case .completing: true
        case .searching(let search): if case .completion = search.retry { true } else { false }
        case .opening, .checking, .aborting: false
        }
    }

    /// Continues the work after its pause.
    package func resumed(_ target: SessionTarget, _ limits: GatewayLimits) -> SessionStep {
        switch self {
        case .opening, .checking: .rest(self)
        case .searching(var search): search.resumed(target)
        case .completing(var completion): completion.resumed(target, limits)
        case .aborting(var abort): abort.resumed(target)
        }
    }
}
