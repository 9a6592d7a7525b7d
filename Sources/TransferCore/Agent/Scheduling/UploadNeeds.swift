import TransferCommon

/// What an upload or a proof waits for, apart from answers: a slot, room for a part, or a moment.
struct UploadNeeds: Hashable {
    var slot = false
    var room = false
    /// The upload holds no part, neither one that was read nor one that is being read.
    var holdsNothing = false
    /// The next moment at which the upload or proof has something to do.
    var wakeAt: Instant?

    mutating func wake(at moment: Instant, now: Instant) {
        guard moment > now else { return }
        wakeAt = wakeAt.map { min($0, moment) } ?? moment
    }
}
