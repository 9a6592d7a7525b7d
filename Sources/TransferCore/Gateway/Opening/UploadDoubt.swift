import TransferCommon

/// Whether failing parts of a session mean that its upload is gone. Some stores answer a part of an upload that is gone
/// as if the store itself were unavailable. So after some such answers the gateway lists the upload, before it sends
/// the store more parts of the session.
///
///     from       event                                             to
///     none       the session is resumed or adopted                 doubted
///     doubted    a part is stored; fewer than three fail in a row  doubted
///     doubted    three parts fail in a row: the upload is listed   doubted
///     doubted    the store lists the upload                        confirmed
///     confirmed  a part is stored                                  doubted
///
/// - Until the list is answered, the failing parts of one session do not open the circuit breaker: they may show a loss
///   of this upload only. The list itself then shows whether the store answers.
/// - A session that the gateway has just opened has a new upload, so its parts raise no doubt.
package struct UploadDoubt: Hashable, Sendable {
    /// The phases, as the table in the comment on `UploadDoubt` lists them.
    package enum Phase: Hashable, Sendable {
        case none
        /// - failures: the parts that have failed in a row.
        case doubted(failures: Int)
        /// The store has listed the upload after a part failed: further failures count against the store.
        case confirmed
    }

    private static let failuresMax = 3

    package private(set) var phase = Phase.none

    /// A session with a new upload.
    package init() {}

    /// Whether the failure of a part may mean that the upload is gone.
    package var isDoubted: Bool {
        if case .doubted = phase { true } else { false }
    }

    /// Begins to doubt the upload, because another process has begun it: the session is resumed or adopted.
    package mutating func resumed() {
        phase = .doubted(failures: 0)
    }

    /// Counts the parts that fail in a row, after each answer to a call that stores a part. Returns whether the
    /// gateway now asks the store to list the upload.
    package mutating func answered(_ answer: StoreAnswer) -> Bool {
        switch (phase, answer) {
        case (.doubted, .partStored), (.confirmed, .partStored):
            phase = .doubted(failures: 0)
        case (.doubted(let failures), .failed(let error)) where error.isLoss:
            phase = .doubted(failures: failures + 1 < Self.failuresMax ? failures + 1 : 0)
            return failures + 1 >= Self.failuresMax
        default: break
        }
        return false
    }

    /// Judges the listing of the upload. `mayBeCompleting`: whether another gateway may be completing it.
    package mutating func step(after answer: StoreAnswer, mayBeCompleting: Bool) -> SessionStep {
        if case .parts = answer { phase = .confirmed }
        guard case .failed(.uploadUnknown) = answer else { return .open }
        return .search(.uploadUnknown, isPatient: mayBeCompleting, retry: .nothing, content: .none)
    }
}
