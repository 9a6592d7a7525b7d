import Synchronization

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Handles SIGINT, SIGTERM and SIGHUP. When a second SIGINT or SIGTERM arrives, of either kind, the process always
/// ends, whatever its threads and event loops do. A blocked read or write, or a full thread pool, cannot prevent that.
package enum StopSignals {
    /// What SIGHUP means for a program.
    package enum HangUp: Sendable {
        /// The terminal is lost: stop, as after SIGTERM. If the process began with SIGHUP ignored, as `nohup` begins
        /// it, SIGHUP stays ignored.
        case stops
        /// The program continues, and the closure is called on a thread of its own. It must not block.
        case reports(@Sendable () -> Void)
    }

    private static let exitCode = ProgramExit.tryAgain.rawValue
    /// Time that the program has to print a summary after the second signal.
    private static let summaryMilliseconds: Int32 = 700

    // The signal handler uses these values, so they are atomic. `handle` uses each of them before it installs the
    // handler: the first use of a global value initialises it, which a signal handler must not do.
    private static let count = Atomic<Int>(0)
    /// Monotonic time in nanoseconds of the last signal that counted; 0 before the first.
    private static let lastMoment = Atomic<Int64>(0)
    private static let lastNumber = Atomic<Int>(.max)
    private static let pipeEnd = Atomic<Int32>(-1)
    /// Whether SIGHUP counts as a stop signal.
    private static let hangUpStops = Atomic<Bool>(false)

    // What the signal handlers write into the pipe.
    private static let stopByte: UInt8 = 0
    private static let hangUpByte: UInt8 = 1

    /// Handles the signals until the process ends. A later call takes the place of an earlier one. If the system has no
    /// descriptor or thread left for this, the first signal ends the process, as it does without this call.
    ///
    /// - Parameters:
    ///   - stop: called on a thread of its own at the first signal. Must not block.
    ///   - stopAtOnce: called at the second signal, if the program has a summary to print; `nil` if it has none. The
    ///     process ends soon afterwards, also if the program does not stop.
    ///   - hangUp: what SIGHUP does.
    package static func handle(
        stop: @escaping @Sendable () -> Void, stopAtOnce: (@Sendable () -> Void)? = nil, hangUp: HangUp = .stops
    ) {
        let course = StopCourse(hasSummary: stopAtOnce != nil)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // The signal handler must not block when the pipe is full. A signal that then does not fit is lost, but only
        // the first three have an effect.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let waiter = SignalWaiter(
            descriptor: ends[0], course: course, stop: stop, stopAtOnce: stopAtOnce, hangUp: hangUp)
        guard DetachedThread.start({ waiter.run() }) == 0 else { return }
        count.store(0, ordering: .sequentiallyConsistent)
        lastMoment.store(0, ordering: .sequentiallyConsistent)
        // This call initialises the constant that the handler uses.
        _ = StopCourse.isSameRequest(1, after: 1)
        pipeEnd.store(ends[1], ordering: .sequentiallyConsistent)
        lastNumber.store(course.lastNumber, ordering: .sequentiallyConsistent)
        for number in [SIGINT, SIGTERM] { signal(number, received) }
        handle(hangUp)
    }

    private static func handle(_ hangUp: HangUp) {
        // These uses initialise the values that the handlers use.
        _ = StopCourse.hangUpStops(after: Int(stopByte) + Int(hangUpByte))
        switch hangUp {
        case .stops:
            hangUpStops.store(true, ordering: .sequentiallyConsistent)
            let previous = signal(SIGHUP, SIG_IGN)
            guard !isIgnoring(previous) else { return }
        case .reports:
            hangUpStops.store(false, ordering: .sequentiallyConsistent)
        }
        signal(SIGHUP, receivedHangUp)
    }

    /// Whether a handler that `signal` has returned means that the signal was ignored.
    private static func isIgnoring(_ handler: (@convention(c) (Int32) -> Void)?) -> Bool {
        unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static let received: @convention(c) (Int32) -> Void = { _ in
        let number = errno
        guard StopSignals.isNewRequest() else {
            errno = number
            return
        }
        let count = StopSignals.count.add(1, ordering: .sequentiallyConsistent).newValue
        if count >= StopSignals.lastNumber.load(ordering: .sequentiallyConsistent) { _exit(StopSignals.exitCode) }
        StopSignals.send(StopSignals.stopByte)
        errno = number
    }

    private static let receivedHangUp: @convention(c) (Int32) -> Void = { _ in
        let number = errno
        if !StopSignals.hangUpStops.load(ordering: .sequentiallyConsistent) {
            StopSignals.send(StopSignals.hangUpByte)
        } else if StopCourse.hangUpStops(after: StopSignals.count.load(ordering: .sequentiallyConsistent)),
            StopSignals.isNewRequest()
        {
            _ = StopSignals.count.add(1, ordering: .sequentiallyConsistent)
            StopSignals.send(StopSignals.stopByte)
        }
        errno = number
    }

    /// Whether a signal that arrives now begins a request of its own. SIGHUP and SIGTERM that arrive together are one
    /// request, also if two threads handle them at the same time: only one of the two exchanges succeeds. Called in a
    /// signal handler.
    private static func isNewRequest() -> Bool {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let moment = Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
        let previous = lastMoment.load(ordering: .sequentiallyConsistent)
        guard !StopCourse.isSameRequest(moment, after: previous) else { return false }
        return lastMoment.compareExchange(expected: previous, desired: moment, ordering: .sequentiallyConsistent)
            .exchanged
    }

    /// Wakes the thread that waits. Called in a signal handler.
    private static func send(_ byte: UInt8) {
        var byte = byte
        _ = write(pipeEnd.load(ordering: .sequentiallyConsistent), &byte, 1)
    }

    /// The thread that performs the steps which a signal handler must not perform itself.
    private struct SignalWaiter: Sendable {
        let descriptor: Int32
        let course: StopCourse
        let stop: @Sendable () -> Void
        let stopAtOnce: (@Sendable () -> Void)?
        let hangUp: HangUp

        func run() {
            var number = 0
            var byte: UInt8 = 0
            while true {
                let count = read(descriptor, &byte, 1)
                guard count == 1 else {
                    if count < 0, errno == EINTR { continue }
                    return
                }
                if byte == StopSignals.hangUpByte {
                    if case .reports(let report) = hangUp { report() }
                    continue
                }
                number += 1
                switch course.step(number) {
                case .stop: stop()
                case .stopAtOnce:
                    stopAtOnce?()
                    // A further signal ends this pause, because its handler ends the process.
                    poll(nil, 0, StopSignals.summaryMilliseconds)
                    _exit(StopSignals.exitCode)
                case .exit: _exit(StopSignals.exitCode)
                }
            }
        }
    }
}
