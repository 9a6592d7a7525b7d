import SystemSupport
import Testing

/// Tests of what the first, the second and each later stop signal do.
@Suite struct StopCourseTests {
    @Test(
        arguments: [
            (true, [.stop, .stopAtOnce, .exit, .exit]), (false, [.stop, .exit, .exit, .exit]),
        ] as [(Bool, [StopCourse.Step])])
    func everySignalGoesFurther(hasSummary: Bool, steps: [StopCourse.Step]) {
        let course = StopCourse(hasSummary: hasSummary)
        #expect((1...4).map(course.step) == steps)
        // `lastNumber` is the number of the stop signal at which the signal handler itself ends the process, without
        // asking `StopCourse` for a step.
        #expect(steps.firstIndex(of: .exit).map { $0 + 1 } == course.lastNumber)
    }

    /// GNU `timeout` sends two signals for one request, and a person needs longer to ask a second time.
    @Test func signalsOfOneRequestCountOnce() {
        #expect(!StopCourse.isSameRequest(5, after: 0))
        #expect(StopCourse.isSameRequest(1_000_000_000, after: 999_999_999))
        #expect(StopCourse.isSameRequest(1_099_999_999, after: 1_000_000_000))
        #expect(!StopCourse.isSameRequest(1_100_000_000, after: 1_000_000_000))
    }

    /// A lost terminal sends SIGHUP several times, and none of them may end the process at once.
    @Test func hangUpCountsOnlyAsTheFirstSignal() {
        #expect(StopCourse.hangUpStops(after: 0))
        #expect(!StopCourse.hangUpStops(after: 1))
        #expect(!StopCourse.hangUpStops(after: 2))
    }
}
