import AgentKit
import Synchronization
import Testing
import TransferCore
import sluice_agent

/// Tests of which output a text goes to: results to standard output, failures and waits to standard error.
@Suite struct OutputChannelTests {
    private struct Told {
        var results = ""
        var failures: [String] = []
        var notices: [String] = []
    }

    private static let figures = UploadProgress(size: 10, storedBytes: 0, bytesSent: 0, bytesResumed: 0)

    private static func run(_ style: ProgressLines.Style) -> Told {
        let told = Mutex(Told())
        let lines = ProgressLines(
            style: style, notices: { text in told.withLock { $0.notices.append(text) } },
            failures: { text in told.withLock { $0.failures.append(text) } }
        ) { text in told.withLock { $0.results += text } }
        lines.observe(.awaitingGateway("waiting for gateway g"))
        lines.observe(.finished(path: "p", key: "bad\n", .failed(UploadFailure(.keyTaken)), figures))
        var summary = RunSummary()
        summary.files = 2
        summary.failures = [.init(path: "p", key: "bad", failure: UploadFailure(.keyTaken))]
        summary.notBegun = NotBegun(count: 3)
        lines.conclude(summary)
        return told.withLock { $0 }
    }

    @Test(arguments: [true, false])
    func failuresAndWaitsAreNoResults(isTerminal: Bool) {
        let told = Self.run(.text(isTerminal: isTerminal, isVerbose: false))
        #expect(told.notices == ["waiting for gateway g"])
        let start = "bad\\u{a}: failed: the key holds other content"
        #expect(told.failures.contains { $0.hasPrefix(start) }, "\(told.failures)")
        #expect(told.failures.contains("Not stored:"))
        #expect(told.failures.last == "interrupted: 3 files were not begun")
        #expect(!told.results.contains("other content") && !told.results.contains("waiting"), "\(told.results)")
        #expect(told.results.contains("2 files, 1 failed"))
    }

    @Test func aQuietRunPrintsNoResults() {
        let told = Self.run(.quiet)
        #expect(told.results.isEmpty && told.failures.count == 2)
    }

    /// Programs read every event from standard output.
    @Test func programsReadFailuresAsResults() {
        let told = Self.run(.json)
        #expect(told.failures.isEmpty && told.results.contains("\"outcome\":\"keyTaken\""))
    }
}
