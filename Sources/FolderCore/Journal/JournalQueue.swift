package import TransferCommon

/// Which changes of the journal are written, and when they are durable. One transaction is under way at a time, and
/// takes all changes that have come up since the one before.
///
///     from      event                                          to
///     idle      a transaction begins                           writing
///     writing   the transaction is durable                     idle
///     writing   the transaction has failed                     failing
///     failing   its time has come, and it is written again     writing
///
/// A transaction that failed is written again unchanged, until it succeeds. As long as it fails, no change behind it
/// becomes durable, so the machines begin nothing new that relies on the journal.
package struct JournalQueue: Hashable, Sendable {
    /// The states, as the table above lists them.
    package enum State: Hashable, Sendable {
        case idle
        case writing(TransactionNumber)
        case failing(TransactionNumber, until: Instant, JournalFailure)
    }

    /// The time between two attempts to write a transaction.
    package static let retryDelay = Duration.seconds(5)

    package private(set) var state = State.idle
    private var number: TransactionNumber = 0
    /// The changes of the transaction that is under way or has failed, for another attempt.
    private var current: [JournalChange] = []
    private var currentWaiters: [ItemID] = []
    private var next: [JournalChange] = []
    private var nextWaiters: [ItemID] = []

    package init() {}

    /// Whether the last attempt to write succeeded, so that further work may begin.
    package var isWorking: Bool {
        if case .failing = state { false } else { true }
    }

    /// When a failed transaction is written again.
    package var nextDeadline: Instant? {
        if case .failing(_, let until, _) = state { until } else { nil }
    }

    /// Adds a change to the next transaction.
    ///
    /// - Parameter item: the item that waits until the change is durable, if one does.
    /// - Returns: the number of the transaction that will contain the change.
    package mutating func add(_ change: JournalChange, awaitedBy item: ItemID? = nil) -> TransactionNumber {
        next.append(change)
        if let item { nextWaiters.append(item) }
        return number + 1
    }

    /// Begins the next transaction, or writes a failed one again.
    ///
    /// - Parameter isCheckpoint: whether a transaction is written although there is no change.
    /// - Returns: the transaction to be written; `nil` if there is nothing to write now.
    package mutating func begin(
        now: Instant, isCheckpoint: Bool = false
    ) -> (number: TransactionNumber, changes: [JournalChange])? {
        switch state {
        case .writing: return nil
        case .failing(let failed, let until, _):
            guard until <= now else { return nil }
            state = .writing(failed)
            return (failed, current)
        case .idle:
            guard !next.isEmpty || isCheckpoint else { return nil }
            number += 1
            (current, currentWaiters) = (next, nextWaiters)
            (next, nextWaiters) = ([], [])
            state = .writing(number)
            return (number, current)
        }
    }

    /// Takes the report that a transaction is durable, and returns the items that wait for it.
    package mutating func committed(_ written: TransactionNumber) -> [ItemID] {
        guard state == .writing(written) else { return [] }
        defer { (current, currentWaiters) = ([], []) }
        state = .idle
        return currentWaiters
    }

    /// Takes the report that a transaction was not written.
    package mutating func failed(_ written: TransactionNumber, _ failure: JournalFailure, now: Instant) {
        guard state == .writing(written) else { return }
        state = .failing(written, until: now + Self.retryDelay, failure)
    }
}

/// Why a transaction of the journal was not written.
package enum JournalFailure: Hashable, Sendable {
    /// The disk of the journal is full.
    case full
    /// Another failure; the reason for people.
    case failed(String)

    /// A reason for people.
    package var words: String {
        switch self {
        case .full: "the disk of the agent's state is full"
        case .failed(let reason): "the agent's state cannot be written: \(reason)"
        }
    }
}

/// One change of the journal.
package enum JournalChange: Hashable, Sendable {
    /// Writes the record of an item, in place of an earlier one.
    case put(ItemRecord)
    /// Deletes the record of an item whose file is gone without the agent's doing.
    case forget(ItemID)
    /// Deletes the record of an item whose file the agent has deleted or moved. The key is remembered: its object is
    /// never replaced.
    case removed(ItemID, ObjectKey)
    /// Lists an unproven file that the agent deletes because the disk is full.
    case shed(ItemID, ItemPath, size: UInt64)
    /// The file of `shed` was not deleted after all.
    case unshed(ItemID)
}
