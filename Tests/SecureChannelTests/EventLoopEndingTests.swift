import NIOCore
import NIOPosix
import SecureChannel
import Testing

/// Loops that end right behind their last job.
@Suite struct EventLoopEndingTests {
    /// Lives on a loop.
    private actor Resident {
        private let loop: any EventLoop
        private var visits = 0

        init(loop: any EventLoop) {
            self.loop = loop
        }

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

        func visit() -> Int {
            visits += 1
            return visits
        }
    }

    /// The last job comes from another thread, which wakes the loop when all may be over.
    @Test func aLoopMayEndRightBehindItsLastJob() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    for _ in 0..<500 {
                        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
                        let resident = Resident(loop: group.next())
                        #expect(await resident.visit() == 1)
                        try await group.end()
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }
}
