import AgentKit
import Synchronization
import Testing
import TransferCore
import sluice_agent

/// Tests of what a command prints and returns if its run ended before all its work was done.
@Suite struct EndedRunTests {
    private static let unreachable = UploadFailure(.unreachable)

    private static func summary(
        _ ending: UploadFailure?, _ failures: [UploadFailure] = [], notBegun: Int = 0
    ) -> RunSummary {
        var summary = RunSummary()
        summary.files = failures.count
        summary.failures = failures.map { .init(path: "p", key: "k", failure: $0) }
        summary.notBegun = NotBegun(count: notBegun)
        summary.ending = ending
        return summary
    }

    /// What a command prints if 256 uploads end with the run and 19,744 files were not begun.
    private static func output(_ style: ProgressLines.Style) -> [Substring] {
        let output = Mutex("")
        let lines = ProgressLines(style: style) { text in output.withLock { $0 += text } }
        let figures = UploadProgress(size: 10, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
        let begun = UploadProgress(size: 10, storedBytes: 5, bytesSent: 5, bytesResumed: 0)
        lines.observe(.finished(path: "before", key: "before", .failed(UploadFailure(.keyTaken)), figures))
        lines.observe(.ended(unreachable))
        lines.observe(.finished(path: "begun", key: "begun", .failed(unreachable), begun))
        for number in 1...254 {
            lines.observe(.finished(path: "f\(number)", key: "f\(number)", .failed(unreachable), figures))
        }
        lines.observe(.finished(path: "full", key: "full", .failed(UploadFailure(.storeFull)), figures))
        let failures =
            [UploadFailure(.keyTaken)] + Array(repeating: unreachable, count: 255) + [UploadFailure(.storeFull)]
        lines.conclude(summary(unreachable, failures, notBegun: 19_744))
        return output.withLock { $0.split(separator: "\n") }
    }

    @Test(arguments: [false, true])
    func theReasonIsPrintedOnceForPeople(isQuiet: Bool) {
        let lines = Self.output(isQuiet ? .quiet : .text(isTerminal: false, isVerbose: false))
        #expect(lines.count <= 20, "\(lines)")
        for key in ["before", "begun", "f1", "full"] {
            #expect(lines.contains { $0.hasPrefix("\(key): failed: ") }, "\(lines)")
        }
        #expect(!lines.contains { $0.hasPrefix("f2: ") })
        #expect(lines.contains { $0.hasSuffix("for the same reason") }, "\(lines)")
        #expect(
            lines.contains { $0.hasPrefix("19744 files were not begun: the gateway could not be reached") }, "\(lines)")
    }

    @Test func theReasonOfEachUploadIsPrintedForPrograms() {
        let lines = Self.output(.json)
        #expect(lines.count == 258)
        #expect(lines.count { $0.contains("\"outcome\":\"unreachable\"") } == 255)
        #expect(lines.last?.contains("\"ended\":\"unreachable\"") == true, "\(lines.last ?? "")")
        #expect(lines.last?.contains("\"not_begun\":19744") == true, "\(lines.last ?? "")")
    }

    @Test func theExitCodeIsThatOfTheReason() {
        #expect(Self.summary(Self.unreachable, notBegun: 1).exitCode == 75)
        #expect(Self.summary(Self.unreachable, [UploadFailure(.keyTaken), Self.unreachable]).exitCode == 75)
        #expect(Self.summary(UploadFailure(.journalFull), [UploadFailure(.journalFull)], notBegun: 9).exitCode == 74)
        #expect(Self.summary(UploadFailure(.gatewayUntrusted), notBegun: 9).exitCode == 77)
        // All work was done before the run ended.
        #expect(Self.summary(Self.unreachable).exitCode == 0)
    }

    @Test(arguments: [UploadFailure?.none, unreachable, UploadFailure(.notAuthorised)])
    func aCheckSaysWhyFilesWereNotExamined(ending: UploadFailure?) {
        let output = Mutex("")
        let report = CheckReport(isJSON: false, isQuiet: false) { text in output.withLock { $0 += text } }
        report.conclude(notBegun: NotBegun(count: 3), ending: ending)
        #expect(report.exitCode == ending?.kind.exitCode ?? 75)
        #expect(output.withLock { $0.contains("3 files were not begun") })
        #expect(output.withLock { $0.contains("interrupted") } == (ending == nil))
    }
}
