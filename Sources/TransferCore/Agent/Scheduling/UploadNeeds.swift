import TransferCommon

/// What an upload or a proof waits for that no answer brings.
struct UploadNeeds: Hashable {
    var slot = false
    var room = false
    /// The upload has no part, neither read nor being read.
    var holdsNothing = false
    /// The next moment at which there is something to do.
    var wakeAt: Instant?

    mutating func wake(at moment: Instant, now: Instant) {
        guard moment > now else { return }
        wakeAt = wakeAt.map { min($0, moment) } ?? moment
    }
}
