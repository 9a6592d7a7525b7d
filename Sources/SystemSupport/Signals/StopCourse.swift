/// Decides what each signal that asks a program to stop does.
///
/// | signal | a program that prints a summary         | a program that prints none |
/// |--------|-----------------------------------------|----------------------------|
/// | first  | stops in an orderly way                 | the same                   |
/// | second | stops at once, and has a moment to print | the process ends           |
/// | third  | the process ends                        | –                          |
package struct StopCourse: Equatable, Sendable {
    /// The effect of one signal.
    package enum Step: Equatable, Sendable {
        case stop
        case stopAtOnce
        /// Performed in the signal handler itself, so that no thread is needed for it.
        case exit
    }

    private let hasSummary: Bool

    package init(hasSummary: Bool) {
        self.hasSummary = hasSummary
    }

    /// The effect of the signal with this number, from 1.
    package func step(_ number: Int) -> Step {
        switch number {
        case ...1: .stop
        case 2 where hasSummary: .stopAtOnce
        default: .exit
        }
    }

    /// Number of the signal that ends the process.
    package var lastNumber: Int { hasSummary ? 3 : 2 }
}
