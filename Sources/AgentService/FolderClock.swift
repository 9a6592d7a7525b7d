import FolderCore
import TransferCommon

/// The two clocks of FolderCore: one that stands still while the computer sleeps, and one that does not.
struct FolderClock: Sendable {
    private let start = (suspending: SuspendingClock.now, continuous: ContinuousClock.now)

    var now: FolderTime {
        let zero = Instant(nanoseconds: 0)
        return FolderTime(
            monotonic: zero + start.suspending.duration(to: .now),
            sinceBoot: zero + start.continuous.duration(to: .now))
    }
}
