import NIOCore
package import NIOPosix
import Synchronization

extension MultiThreadedEventLoopGroup {
    /// Groups that have ended, the newest last.
    private static let ended = Mutex<[MultiThreadedEventLoopGroup]>([])
    private static let endedMax = 4

    /// Ends the loops, and keeps them for a while.
    ///
    /// Whoever hands a job to a loop first puts it there and then wakes the loop. The job may be the last one, and all
    /// of this over, before the loop is woken: it has to be there still, or the process traps at its very end, with
    /// all its work done. Programs, which have one group, keep it to their end.
    package func end() async throws {
        try await shutdownGracefully()
        let released = Self.ended.withLock { ended in
            ended.append(self)
            return ended.count > Self.endedMax ? ended.removeFirst() : nil
        }
        // Not while the lock is held.
        withExtendedLifetime(released) {}
    }
}
