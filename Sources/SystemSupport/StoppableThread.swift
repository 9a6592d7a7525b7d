import Synchronization

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A thread that waits in `poll` for what it watches, and that another thread can stop.
package final class StoppableThread: Sendable {
    /// Writing end of the pipe whose closing stops the thread; `nil` after `stop`.
    private let end: Mutex<Int32?>

    /// Starts the thread.
    ///
    /// - Parameter body: gets the reading end of a pipe, and returns when `poll` reports something for it.
    /// - Returns: `nil` if the system has no descriptor or no thread left for it.
    package init?(_ body: @escaping @Sendable (_ stopEnd: Int32) -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        let stopEnd = ends[0]
        let result = DetachedThread.start {
            body(stopEnd)
            close(stopEnd)
        }
        guard result == 0 else {
            for descriptor in ends { close(descriptor) }
            return nil
        }
        end = Mutex(ends[1])
    }

    deinit {
        stop()
    }

    /// Lets the body return; does not wait for it. Safe to repeat.
    package func stop() {
        if let descriptor = end.withLock({ $0.take() }) { close(descriptor) }
    }
}
