import AgentKit
import Cryptography
import Foundation
import Logging
import SecureChannel
import Synchronization
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of `sluice-agent check` with real files and a real journal. They call the code of the command, without a
/// gateway and without starting the program.
@Suite(.timeLimit(.minutes(5))) struct FileCheckerTests {
    private struct Sample {
        let home: AgentHome
        let tree: URL
        let site: DeviceSite

        func path(_ name: String) -> String { tree.appending(path: name).path(percentEncoded: false) }

        func journal() throws -> Journal { try AgentJournal.open(home, logger: Logger(label: "test")) }

        /// Records a proof for the current content of a file.
        func store(_ name: String, change: (inout UploadReceipt) -> Void = { _ in }) throws {
            let digests = try FileDigests(path: path(name), partBytes: 4)
            var receipt = UploadReceipt(
                size: digests.bytes, partBytes: 4, root: digests.root, evidence: .root(digests.root), etag: "e",
                version: "")
            receipt.stamp = try SourceFile.open(path(name)).stamp()
            receipt.site = site
            change(&receipt)
            let subject = Journal.Subject(path: path(name), key: name, policy: .verify)
            let write = JournalWrite.finished(UploadID(1), .stored(receipt, wasThere: false))
            try journal().apply([write], nowMilliseconds: 1) { _ in subject }
        }

        /// Checks the files, and repeats the check until no result is `stillWritten`. A result may be `stillWritten` by
        /// accident: when another test starts a program, the new process holds copies of all descriptors for a moment,
        /// including those that this test has just closed.
        ///
        /// - Parameter isWritten: whether the test itself has a file open for writing. Then the check runs only once.
        func check(
            _ names: [String] = [], fast: Bool = false, isWritten: Bool = false
        ) throws -> [String: CheckedFile.Result] {
            while true {
                let results = try checkOnce(names, fast: fast)
                guard !isWritten, results.values.contains(where: \.isStillWritten) else { return results }
                // The new process closes its copies of the descriptors when it executes its program. No event reports
                // this, so poll. The test's time limit ends the loop.
                usleep(5_000)
            }
        }

        private func checkOnce(_ names: [String], fast: Bool) throws -> [String: CheckedFile.Result] {
            let paths = names.isEmpty ? [tree.path(percentEncoded: false)] : names.map(path)
            var results: [String: CheckedFile.Result] = [:]
            let checker = FileChecker(
                home: home, choice: FileChoice(paths: paths), trustsStamp: fast, logger: Logger(label: "test"))
            try checker.run { results[$0.key] = $0.result }
            return results
        }

        func state(_ name: String, fast: Bool = false, isWritten: Bool = false) throws -> FileCheck.State? {
            guard case .found(let finding)? = try check([name], fast: fast, isWritten: isWritten)[name] else {
                return nil
            }
            return finding.state
        }
    }

    private func withSample(_ names: [String], _ body: (Sample) throws -> Void) async throws {
        try await withTree(names) { tree in
            let home = AgentHome(
                path: tree.deletingLastPathComponent().appending(path: "home").path(percentEncoded: false))
            let pin = try #require(Fingerprint("sha256:" + String(repeating: "1", count: 64)))
            _ = try home.create(name: "device", gateway: "127.0.0.1:1", pin: pin)
            let site = DeviceSite(store: try SHA256Digest.of([1]), device: "d", prefix: "site/")
            let sample = Sample(home: home, tree: tree, site: site)
            try sample.journal().apply([.site(site)], nowMilliseconds: 1) { _ in nil }
            try body(sample)
        }
    }

    @Test func filesAreComparedWithTheirProofs() async throws {
        try await withSample(["same", "rewritten", "grown", "new", "below/same"]) { sample in
            for name in ["same", "rewritten", "grown"] { try sample.store(name) }
            try sample.store("below/same")
            try Data("REWRITTEN".utf8).write(to: URL(filePath: sample.path("rewritten")))
            try Data("grown more".utf8).write(to: URL(filePath: sample.path("grown")))
            let states = try sample.check().mapValues { result -> FileCheck.State? in
                if case .found(let finding) = result { finding.state } else { nil }
            }
            let expected: [String: FileCheck.State?] = [
                "same": .proven, "rewritten": .changed, "grown": .changed, "new": .notSent, "below/same": .proven,
            ]
            #expect(states == expected)
        }
    }

    @Test func missingFileIsReported() async throws {
        try await withSample(["there"]) { sample in
            guard case .failed(let failure)? = try sample.check(["gone"])["gone"] else {
                Issue.record("it is not told")
                return
            }
            #expect(failure.kind == .missing)
        }
    }

    @Test func aFileThatIsBeingWrittenIsNotProven() async throws {
        try await withSample(["file"]) { sample in
            try sample.store("file")
            let writer = try FileHandle(forUpdating: URL(filePath: sample.path("file")))
            #expect(try sample.state("file", isWritten: true) == .stillWritten)
            try writer.close()
            #expect(try sample.state("file") == .proven)
        }
    }

    /// The proof has a wrong digest, so a file that counts as proven was not read.
    @Test func reliableStampSufficesOnRequest() async throws {
        try await withSample(["file"]) { sample in
            for counts in [false, true] {
                try sample.store("file") {
                    $0.root = sample.site.store
                    $0.stampCounts = counts
                }
                #expect(try sample.state("file") == .changed)
                let fast = try sample.state("file", fast: true)
                let look = try SourceFile.open(sample.path("file")).look(clock: FileClock(path: sample.home.clockPath))
                #expect(fast == (counts && look.fileSystem == .stamping ? .proven : .changed))
            }
        }
    }

    @Test func otherStoreIsReported() async throws {
        try await withSample(["file"]) { sample in
            try sample.store("file") { $0.site?.store = $0.root ?? .zero }
            #expect(try sample.state("file") == .otherStore)
            try sample.store("file") { $0.site = nil }
            #expect(try sample.state("file") == .unknown)
        }
    }
}

extension CheckedFile.Result {
    fileprivate var isStillWritten: Bool {
        if case .found(let finding) = self { finding.state == .stillWritten } else { false }
    }
}
