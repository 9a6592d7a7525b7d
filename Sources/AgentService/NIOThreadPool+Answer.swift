import NIOPosix

extension NIOThreadPool {
    /// Runs work on a thread of the pool.
    ///
    /// - Returns: `nil` once the pool has ended. Then the service has ended, too, and needs no answer.
    func answer<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result? {
        // try?: the pool throws nothing else, because the work throws nothing.
        try? await runIfActive(body)
    }
}
