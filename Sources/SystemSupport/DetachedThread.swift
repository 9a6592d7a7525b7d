#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A thread outside Swift's pool of threads for tasks, so that it may block.
enum DetachedThread {
    /// Starts a thread that runs `body` and then ends.
    ///
    /// - Returns: 0, or an error number if the system has no thread for it. `body` is then not called.
    static func start(_ body: @escaping @Sendable () -> Void) -> Int32 {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Body(body))
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        if result == 0 { pthread_detach(thread) } else { context.release() }
        return result
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }
}
