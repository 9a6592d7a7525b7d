/// The exit codes of both programs. The numbers from 64 on are those of `sysexits.h`.
package enum ProgramExit: Int32, CaseIterable, Comparable, Sendable {
    case success = 0
    /// The work was done and its result is not what the user wants, or its parts failed for several causes.
    case failure = 1
    case usage = 64
    case wrongData = 65
    case missingInput = 66
    case storeRefuses = 69
    case outputLost = 74
    case tryAgain = 75
    case protocolMismatch = 76
    case notAuthorised = 77

    package static func < (left: ProgramExit, right: ProgramExit) -> Bool { left.rawValue < right.rawValue }

    /// The status of a command of which some parts failed: the status that all failed parts have in common, if there
    /// is one; `failure` if they have several; `success` if none failed.
    package init(combining failures: some Collection<ProgramExit>) {
        let distinct = Set(failures)
        self = distinct.count == 1 ? distinct.first ?? .success : distinct.isEmpty ? .success : .failure
    }

    /// The statuses with their meanings in one sentence for the help of a program.
    ///
    /// - Parameter meaning: the meaning of a status in a few words; `nil` if the program never ends with it.
    package static func sentence(_ meaning: (ProgramExit) -> String?) -> String {
        let clauses = allCases.compactMap { status in meaning(status).map { "\(status.rawValue) \($0)" } }
        return "Exit codes: \(clauses.joined(separator: "; "))."
    }
}
