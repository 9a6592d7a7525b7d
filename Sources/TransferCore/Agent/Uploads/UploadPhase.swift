package import TransferCommon

/// The phases of one upload, from its submission to its outcome.
///
///     from          event                                             to
///     beginning     a saved session, and the file is untouched        waiting, to resume
///     beginning     a saved session, and the file was touched         verifying, or with one part waiting to open anew
///     beginning     a saved session that the user does not allow      waiting, to abort or to open anew
///     beginning     no saved session                                  waiting, to open
///     beginning     a request that cannot be carried out              ending
///     waiting       a connection is open, no session has been chosen  recording
///     recording     the journal has the session                       waiting, to open
///     waiting       a connection is open, the moment has come         opening, resuming, aborting
///     opening       SESSION OPENED                                    transferring
///     opening       SESSION OPENED, and COMPLETE was sent before it   completing
///     resuming      RESUME STATE ongoing                              transferring
///     resuming      RESUME STATE completing                           completing
///     transferring  every part is stored and in the journal           rechecking
///     transferring  COMPLETE of a one-part file is sent               completing
///     rechecking    the file is unchanged                             completing
///     rechecking    only the change time of the file moved            verifying
///     verifying     the content is the same, COMPLETE can be sent     completing
///     verifying     the content is the same, or another version       waiting
///     completing    PARTS WANTED; a one-part file is sent again       transferring
///     any           SESSION EXISTS, or COMPLETED of other content     comparing
///     comparing     the object may be replaced                        waiting, to open anew
///     aborting      ABORTED; what follows is to begin anew            waiting, to open anew
///     any           the last slot or connection is lost               waiting
///     any           the session is of no more use                     waiting, to open anew or to abort
///     any           stored, dropped or failed                         ending
///     ending        the outcome is durable in the journal             ended
///
/// Each phase owns the data that exists only in it. `UploadLifecycle` makes the transitions.
package enum UploadPhase: Hashable, Sendable {
    /// The upload has been submitted and has not begun.
    case beginning
    case waiting(PendingRequest, until: Instant)
    /// A row is being written to the journal.
    case recording(JournalSequence, then: PendingRequest)
    case opening
    case resuming
    case comparing(ObjectComparison)
    case verifying(FileVerification)
    case transferring
    case rechecking
    case completing
    case aborting
    case ending(JournalSequence, UploadOutcome)
    case ended
}

/// What the upload asks a gateway for as soon as a connection is open and the wait is over.
package enum PendingRequest: Hashable, Sendable {
    case open
    case resume
    case abort
}

// MARK: - Read-outs

extension UploadPhase {
    /// Whether the upload has an outcome.
    package var hasOutcome: Bool {
        switch self {
        case .ending, .ended: true
        default: false
        }
    }

    /// Whether the upload waits for a slot, or for the moment of its request.
    package var isWaiting: Bool {
        if case .waiting = self { true } else { false }
    }

    /// Whether the upload acts on a frame that names an object under the key. In the other phases the frame concerns
    /// an older version of the file, or arrives after the upload's end.
    package var concernsObject: Bool {
        switch self {
        case .opening, .resuming, .transferring, .rechecking, .completing: true
        default: false
        }
    }

    /// Stored parts that the shell is reading again.
    var beingVerified: Set<PartNumber> {
        if case .verifying(let verification) = self { verification.beingRead } else { [] }
    }

    /// Whether the shell reads the file for this phase; `nil` if that depends on the parts under way.
    package var isReading: Bool? {
        switch self {
        case .comparing, .rechecking: true
        case .verifying(let verification): !verification.beingRead.isEmpty
        default: nil
        }
    }

    /// Whether a stopping agent waits for the answer of this phase, because the answer saves work for the next run.
    ///
    /// - Parameter isWhole: whether every part is stored, so that the upload completes without further data.
    package func isWorthFinishing(isMultipart: Bool, isSending: Bool, isWhole: Bool, isDropping: Bool) -> Bool {
        switch self {
        case .rechecking, .completing, .aborting: true
        // With several parts, the answer brings the token with which the next run resumes.
        case .opening: !isDropping && (isMultipart || isSending)
        case .transferring: isSending || isWhole
        // After the answer, the upload completes.
        case .resuming: isWhole
        case .beginning, .waiting, .recording, .comparing, .verifying, .ending, .ended: false
        }
    }
}
