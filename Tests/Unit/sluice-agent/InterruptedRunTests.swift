import AgentKit
import Foundation
import Synchronization
import TestSupport
import Testing
import TransferCore
import sluice_agent

/// Tests of interrupting commands and directory walks.
@Suite
struct InterruptedRunTests {
    private func summary(_ kinds: [UploadFailure.Kind], notBegun: NotBegun = NotBegun()) -> RunSummary {
        var summary = RunSummary()
        summary.files = 5
        summary.failures = kinds.map { .init(path: "p", key: "k", failure: UploadFailure($0)) }
        summary.notBegun = notBegun
        return summary
    }

    @Test func interruptedCommandExits75() {
        #expect(summary([]).exitCode == 0)
        #expect(summary([], notBegun: NotBegun(count: 1)).exitCode == 75)
        #expect(summary([], notBegun: NotBegun(mayBeMore: true)).exitCode == 75)
        #expect(summary([.stopped]).exitCode == 75)
        #expect(summary([.stopped, .keyTaken]).exitCode == 75)
        #expect(summary([.changed, .missing], notBegun: NotBegun(count: 3)).exitCode == 75)
        #expect(summary([.changed, .missing]).exitCode == 1)
    }

    @Test(arguments: [
        (NotBegun(count: 120), "interrupted: 120 files were not begun\n", "\"not_begun\":120,\"more_not_begun\":false"),
        (NotBegun(count: 1), "interrupted: 1 file was not begun\n", "\"not_begun\":1,\"more_not_begun\":false"),
        (
            NotBegun(count: 2, mayBeMore: true),
            "interrupted: 2 files were not begun, and not all were looked at\n", "\"more_not_begun\":true"
        ),
        (NotBegun(mayBeMore: true), "interrupted: not all files were looked at\n", "\"more_not_begun\":true"),
    ])
    func filesNotBegunAreReported(notBegun: NotBegun, line: String, field: String) {
        for style in [ProgressLines.Style.text(isTerminal: false, isVerbose: false), .quiet, .json] {
            let output = Mutex("")
            let lines = ProgressLines(style: style) { text in output.withLock { $0 += text } }
            lines.conclude(summary([], notBegun: notBegun))
            let told = output.withLock { $0 }
            if case .json = style { #expect(told.contains(field)) } else { #expect(told.contains(line)) }
        }
    }

    @Test func uninterruptedRunReportsNone() {
        let output = Mutex("")
        ProgressLines(style: .json) { text in output.withLock { $0 += text } }.conclude(summary([]))
        #expect(output.withLock { !$0.contains("not_begun") })
    }

    @Test func filesWithoutARowInTheJournalAreNotKept() {
        for isResumable in [true, false] {
            let output = Mutex("")
            let lines = ProgressLines(style: .json) { text in output.withLock { $0 += text } }
            var figures = UploadProgress(size: 1, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
            figures.isResumable = isResumable
            lines.observe(.finished(path: "p", key: "k", .failed(UploadFailure(.stopped)), figures))
            #expect(output.withLock { $0.contains("\"kept\":\(isResumable)") })
        }
    }

    /// A walk whose filter excludes every file must also end promptly.
    @Test func aWalkCanBeInterruptedBetweenAnyTwoFiles() async throws {
        try await withTemporaryDirectory { directory in
            for name in ["a", "b", "c/d", "c/e", "f"] {
                let file = directory.appending(path: name)
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data().write(to: file)
            }
            let path = directory.path(percentEncoded: false)
            for stop in 0...40 {
                let asked = Mutex(0)
                var walk = FileWalk(paths: [path])
                walk.isInterrupted = {
                    asked.withLock { count in
                        count += 1
                        return count > stop
                    }
                }
                var keys: [String] = []
                while let found = walk.next() { keys.append(found.key) }
                let isWhole = !walk.hasMore
                walk.isInterrupted = { false }
                while let found = walk.next() { keys.append(found.key) }
                #expect(keys == ["a", "b", "c/d", "c/e", "f"], "after \(stop) looks")
                if stop == 40 { #expect(isWhole) } else if stop < 5 { #expect(!isWhole) }
            }
        }
    }

    @Test func theRestOfAWalkIsCounted() async throws {
        try await withTemporaryDirectory { directory in
            for number in 0..<20 { try Data().write(to: directory.appending(path: "\(number)")) }
            let files = FileWalk(paths: [directory.path(percentEncoded: false)])
            var batches = FileBatches(files: files, key: nil, prefix: "")
            #expect(batches.next(atMost: 3).count == 3)
            var other = batches
            #expect(batches.countRest { false } == NotBegun(count: 17))
            #expect(other.countRest { true } == NotBegun(count: 0, mayBeMore: true))
        }
    }
}
