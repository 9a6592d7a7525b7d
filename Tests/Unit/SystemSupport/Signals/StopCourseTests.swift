import SystemSupport
import Testing

/// Tests of what each signal does that asks a program to stop.
@Suite struct StopCourseTests {
    @Test(
        arguments: [
            (true, [.stop, .stopAtOnce, .exit, .exit]), (false, [.stop, .exit, .exit, .exit]),
        ] as [(Bool, [StopCourse.Step])])
    func everySignalGoesFurther(hasSummary: Bool, steps: [StopCourse.Step]) {
        let course = StopCourse(hasSummary: hasSummary)
        #expect((1...4).map(course.step) == steps)
        // The handler ends the process from this signal on, without asking for the step.
        #expect(steps.firstIndex(of: .exit).map { $0 + 1 } == course.lastNumber)
    }
}
