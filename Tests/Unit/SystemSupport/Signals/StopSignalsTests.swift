import SystemSupport
import Testing

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Tests of stop signals that arrive at the same time.
@Suite struct StopSignalsTests {
    /// A lost terminal and a service manager may send SIGHUP and SIGTERM for one request, in either order. If they
    /// counted as two requests, the second would end this process with exit code 75.
    @Test func hangUpAndTerminationTogetherAreOneRequest() async {
        await #expect(processExitsWith: .success) {
            for pair in [(SIGHUP, SIGTERM), (SIGTERM, SIGHUP)] {
                StopSignals.handle(stop: {})
                raise(pair.0)
                raise(pair.1)
            }
        }
    }
}
