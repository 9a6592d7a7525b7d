import TransferCommon

/// Whose turn it is on one connection: the parts whose data may be sent, one chunk of each in turn, and how much of the
/// initial credit is used (specification §7.2). Initial credit is needed for data of *undecided* parts, whose offer the
/// gateway has not answered yet.
package struct PartTurns: Hashable, Sendable {
    /// Parts with data that may be sent now, the next one first.
    package private(set) var sending: [UploadPart] = []
    /// Undecided parts that wait until other parts return initial credit, in the order in which they began to wait.
    package private(set) var awaitingCredit: [UploadPart] = []
    /// Plain bytes that were sent before the gateway's decision and count against the initial credit.
    package private(set) var undecidedBytes: UInt64 = 0

    package init() {}

    /// Whether no part waits for a turn or for credit.
    package var isEmpty: Bool { sending.isEmpty && awaitingCredit.isEmpty }

    /// Adds a part whose data may be sent.
    package mutating func add(_ part: UploadPart) {
        awaitingCredit.removeAll { $0 == part }
        if !sending.contains(part) { sending.append(part) }
    }

    /// Removes a part, because no more of its data may be sent.
    package mutating func remove(_ part: UploadPart) {
        sending.removeAll { $0 == part }
        awaitingCredit.removeAll { $0 == part }
    }

    /// Removes all parts of an upload.
    package mutating func removeAll(of upload: UploadID) {
        sending.removeAll { $0.upload == upload }
        awaitingCredit.removeAll { $0.upload == upload }
    }

    /// Takes the part whose turn it is. If initial credit is left, one more undecided part joins those that take turns.
    package mutating func takeNext(initialCredit: UInt32) -> UploadPart? {
        if !awaitingCredit.isEmpty, undecidedBytes < UInt64(initialCredit) {
            sending.append(awaitingCredit.removeFirst())
        }
        return sending.isEmpty ? nil : sending.removeFirst()
    }

    /// Puts a part that has had its turn behind the other parts.
    package mutating func putLast(_ part: UploadPart) { sending.append(part) }

    /// Lets a part wait without a turn until initial credit is free.
    package mutating func awaitCredit(_ part: UploadPart) { awaitingCredit.append(part) }

    /// How many more bytes of undecided parts may be sent.
    package func creditLeft(initialCredit: UInt32) -> UInt64 {
        UInt64(initialCredit) > undecidedBytes ? UInt64(initialCredit) - undecidedBytes : 0
    }

    /// Counts bytes of an undecided part against the initial credit, because they are sent.
    package mutating func spendCredit(_ bytes: UInt64) { undecidedBytes += bytes }

    /// Returns initial credit, because the gateway has decided on the part, or the part is gone.
    package mutating func returnCredit(_ bytes: UInt64) { undecidedBytes -= min(bytes, undecidedBytes) }
}
