/// Decides what a program does at each signal that asks it to stop.
///
/// | signal | a program that prints a summary         | a program that prints none |
/// |--------|-----------------------------------------|----------------------------|
/// | first  | stops in an orderly way                 | the same                   |
/// | second | stops at once, and has a moment to print | the process ends           |
/// | third  | the process ends                        | –                          |
///
/// SIGHUP counts as a stop signal only if no other signal came before it: a terminal that is lost sends it once by the
/// kernel and once more by the shell, and both mean the same.
package struct StopCourse: Equatable, Sendable {
    /// The effect of one signal.
    package enum Step: Equatable, Sendable {
        case stop
        case stopAtOnce
        /// The process ends. The signal handler itself ends it, so that no thread is needed.
        case exit
    }

    private let hasSummary: Bool

    package init(hasSummary: Bool) {
        self.hasSummary = hasSummary
    }

    /// What the program does at its `number`th signal, counted from 1.
    package func step(_ number: Int) -> Step {
        switch number {
        case ...1: .stop
        case 2 where hasSummary: .stopAtOnce
        default: .exit
        }
    }

    /// Whether a signal belongs to the same request as the signal before. GNU `timeout` sends SIGTERM to its child and
    /// then to the whole process group, so the child gets two signals for one request.
    ///
    /// Called in a signal handler, so it only computes.
    ///
    /// - Parameters:
    ///   - moment: monotonic time of the signal in nanoseconds.
    ///   - previous: the time of the last signal that counted, in the same unit; 0 if there was none.
    package static func isSameRequest(_ moment: Int64, after previous: Int64) -> Bool {
        previous != 0 && moment &- previous < sameRequestNanoseconds
    }

    /// Shorter than a person needs to press Ctrl-C again.
    private static let sameRequestNanoseconds: Int64 = 100_000_000

    /// Whether SIGHUP asks the program to stop. Called in a signal handler, so it only computes.
    ///
    /// - Parameter count: how many stop signals have counted before.
    package static func hangUpStops(after count: Int) -> Bool { count == 0 }

    /// How many signals end the process.
    package var lastNumber: Int { hasSummary ? 3 : 2 }
}
