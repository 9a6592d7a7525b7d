import NIOCore
package import NIOPosix
import Synchronization

extension MultiThreadedEventLoopGroup {
    /// Groups that have been shut down, the newest last.
    private static let ended = Mutex<[MultiThreadedEventLoopGroup]>([])
    private static let endedMax = 4

    /// Shuts the loops down, and keeps the group in memory until `endedMax` later groups have ended.
    ///
    /// A thread that submits a job adds it to the loop's queue and then wakes the loop. If that job is the last one,
    /// the group may be shut down before the thread wakes the loop. If the loop were freed by then, the process would
    /// trap when it ends. A program has only one group, so this list keeps it until the program ends.
    package func end() async throws {
        try await shutdownGracefully()
        let released = Self.ended.withLock { ended in
            ended.append(self)
            return ended.count > Self.endedMax ? ended.removeFirst() : nil
        }
        // The removed groups are freed here, after the lock was released.
        withExtendedLifetime(released) {}
    }
}
