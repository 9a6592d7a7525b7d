package import TransferCommon
import TransferCore

/// How many files and connections a run may have open without exceeding the number of descriptors that its process may
/// have.
///
/// Each upload has one open file, and each connection one socket. The walk has one open directory for each level. A
/// part of the descriptors is reserved for the journal, event loops, standard streams and short-lived files.
package struct DescriptorPlan: Equatable, Sendable {
    /// Descriptors for everything but connections, files of uploads and directories. A run needs about 24 of them. The
    /// rest is for files that are open only briefly, and for descriptors that the process has for other purposes.
    private static let reserved = 32

    /// Highest number of connections at once.
    package let connectionsMax: Int
    /// Highest number of uploads at once, each with an open file. Files that are examined before their upload begins
    /// count, too.
    package let filesMax: Int

    /// - Parameter limit: how many descriptors the process may have; at least `DescriptorLimit.fewest`.
    package init(limit: Int) {
        let free = max(limit - Self.reserved, 8)
        connectionsMax = free / 4
        // The other descriptors are for the directories that the walk has entered.
        filesMax = (free - connectionsMax) / 2
    }

    /// Lowers the limits of an agent to this plan.
    func apply(to limits: inout AgentLimits) {
        limits.connections = min(limits.connections, connectionsMax)
        limits.sessionsMax = min(limits.sessionsMax, filesMax)
    }
}

/// Decides how long a run waits for a free descriptor after a file or directory could not be opened for want of one.
///
/// Usually an upload of the run ends soon and frees its descriptor. But if other programs or the application use up the
/// descriptors, the wait may be long.
package struct DescriptorWait: Sendable {
    /// Time between two attempts to open files.
    static let pause = Duration.milliseconds(100)

    private let patience: Duration
    private var since: Instant?

    /// - Parameter patience: how long to wait after the last file that could be opened.
    package init(patience: Duration) {
        self.patience = patience
    }

    /// Whether the last attempt to open a file has failed for want of a descriptor.
    package var isWaiting: Bool { since != nil }

    /// Notes that a file could not be opened for want of a descriptor.
    ///
    /// - Returns: whether to try again after a pause. If not, the failure is final for this run.
    package mutating func wasRefused(now: Instant) -> Bool {
        guard let since else {
            self.since = now
            return true
        }
        return now.since(since) < patience
    }

    /// Ends the wait, because a file could be opened.
    package mutating func wasOpened() {
        since = nil
    }
}
