import NIOCore
package import NIOPosix
import Synchronization

extension MultiThreadedEventLoopGroup {
    /// Groups that have been shut down, the newest last.
    private static let ended = Mutex<[MultiThreadedEventLoopGroup]>([])
    private static let endedMax = 4

    /// Shuts the loops down, and keeps the group in memory until `endedMax` later groups have ended.
    ///
    /// A thread that submits a job adds it to the loop's queue and then wakes the loop. That job may be the last one,
    /// so the group may be shut down before the thread wakes the loop; if the loop had been freed by then, the process
    /// would trap at its end. A program has one group and keeps it to its end.
    package func end() async throws {
        try await shutdownGracefully()
        let released = Self.ended.withLock { ended in
            ended.append(self)
            return ended.count > Self.endedMax ? ended.removeFirst() : nil
        }
        // Freed here, where the lock is not held.
        withExtendedLifetime(released) {}
    }
}
