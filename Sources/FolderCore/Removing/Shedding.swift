package import TransferCommon

/// How an unproven file is deleted because the disk is full, which the user has allowed.
///
///     from         event                                        to
///     journalling  the list of losses is durable                unlinking
///     unlinking    the file is deleted                          syncing
///     unlinking    the file has changed, or cannot be deleted   ended
///     syncing      the directory is durable                     recording
///     recording    the journal has the end                      ended
package struct Shedding: Hashable, Sendable {
    /// The phases, as the table above lists them.
    package enum Phase: Hashable, Sendable {
        case journalling(TransactionNumber)
        case unlinking(RequestID)
        case syncing(RequestID)
        case recording(TransactionNumber)
        case ended
    }

    /// What the owner does next.
    package enum Effect: Hashable, Sendable {
        case step(RemovalStep)
        case recordEnd
        case removed
        /// The file stays. The list of losses is corrected.
        case kept
        case nothing
    }

    package private(set) var phase: Phase
    package let path: ItemPath
    package let stamp: FileStamp

    /// - Parameter number: the transaction that writes the loss to the list.
    package init(_ path: ItemPath, _ stamp: FileStamp, listedIn number: TransactionNumber) {
        self.phase = .journalling(number)
        self.path = path
        self.stamp = stamp
    }

    /// The request whose answer is awaited; `nil` if none is.
    package var request: RequestID? {
        switch phase {
        case .unlinking(let id), .syncing(let id): id
        case .journalling, .recording, .ended: nil
        }
    }

    /// Whether this transaction is awaited.
    package func awaits(_ number: TransactionNumber) -> Bool {
        phase == .journalling(number) || phase == .recording(number)
    }

    /// What was given to the journal is durable.
    package mutating func committed(_ next: RequestID) -> Effect {
        switch phase {
        case .journalling:
            phase = .unlinking(next)
            return .step(.unlink(path, stamp))
        case .recording:
            phase = .ended
            return .removed
        case .unlinking, .syncing, .ended: return .nothing
        }
    }

    /// Takes the answer to a step.
    package mutating func answered(_ answer: RemovalAnswer, next: RequestID) -> Effect {
        switch (phase, answer) {
        case (.unlinking, .done), (.syncing, .failed):
            phase = .syncing(next)
            return .step(.syncDirectory(path))
        case (.unlinking, _):
            phase = .ended
            return .kept
        case (.syncing, _):
            phase = .recording(0)
            return .recordEnd
        case (.journalling, _), (.recording, _), (.ended, _): return .nothing
        }
    }

    /// The owner has given the end to the journal, in this transaction.
    package mutating func recorded(in number: TransactionNumber) {
        if case .recording = phase { phase = .recording(number) }
    }
}
