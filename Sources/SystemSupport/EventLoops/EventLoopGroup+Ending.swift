import NIOCore
package import NIOPosix
import Synchronization

extension MultiThreadedEventLoopGroup {
    private static let ended = Mutex<[MultiThreadedEventLoopGroup]>([])
    private static let endedMax = 4

    /// Shuts the loops down, and keeps the group in memory until `endedMax` later groups have ended.
    ///
    /// A thread that submits a job first adds it to the loop's queue and then wakes the loop. If this job is the last
    /// one, the group may be shut down before the thread wakes the loop. If the loop had been freed by then, the
    /// process would trap. In a program, which has one group, the group is therefore never freed.
    package func end() async throws {
        try await shutdownGracefully()
        let released = Self.ended.withLock { ended in
            ended.append(self)
            return ended.count > Self.endedMax ? ended.removeFirst() : nil
        }
        // The oldest group is freed here, after the lock was released.
        withExtendedLifetime(released) {}
    }
}
