import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of sending whole files with the real programs into the file store.
    @Suite
    struct TransferTests {
        private static let partBytes = 1 << 20

        @Test("files of every size around a part arrive whole", arguments: StorageKind.allCases)
        func arrivesWhole(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port, prefix: "cam1/")
                    let part = site.partBytes
                    for bytes in [0, 1, part - 1, part, part + 1, 10 * part] {
                        let file = try site.makeFile("file-\(bytes)", bytes: bytes)
                        let pushed = try await agent.run(site.push(file))
                        try await site.expectObject("cam1/file-\(bytes)", equals: file)
                        #expect(try pushed.summary.bytesSent == UInt64(bytes))
                    }
                    try await site.expectNothingUnfinished()
                }
            }
        }

        /// The agent skips a file whose stamp equals that of its proof, unless the user gives `--checksum`.
        @Test func unchangedFilesAreNotReadAgain() async throws {
            try await Site.serving { site, agent in
                for name in ["a", "b", "c"] { _ = try site.makeFile("tree/\(name)", bytes: 2 * Self.partBytes) }
                // If a file is read less than two seconds after its last change, its stamp proves nothing. So wait
                // before the push.
                let made = ContinuousClock.now
                try await withDeadline(Site.deadline, "the stamps of the files to count") {
                    while ContinuousClock.now - made < .seconds(3) {
                        // Poll, because no event reports that the stamps are old enough.
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                let push = ["push", site.path("tree")]
                #expect(try await agent.run(push).summary.unchanged == 0)
                let again = try await agent.run(push)
                #expect(again.outcomes == ["there", "there", "there"])
                #expect(try again.summary.unchanged == 3 && again.summary.bytesSent == 0)
                #expect(again.events.filter { $0.skipped == true }.count == 3)
                let read = try await agent.run(push + ["--checksum"])
                #expect(read.outcomes == ["there", "there", "there"])
                #expect(try read.summary.unchanged == 0)
                #expect(read.notes.contains { $0.contains("comparing") }, "\(read.notes)")
                _ = try site.makeFile("tree/b", bytes: 2 * Self.partBytes, seed: 2)
                let touched = try await agent.run(push, exits: 1)
                #expect(touched.outcomes.sorted() == ["keyTaken", "there", "there"])
                #expect(try touched.summary.unchanged == 2)
                // With `--if-exists fail` the agent asks the gateway about each object, so it must not skip unchanged
                // files.
                let failed = try await agent.run(push + ["--if-exists", "fail"], exits: 1)
                #expect(failed.outcomes == ["keyTaken", "keyTaken", "keyTaken"])
            }
        }

        @Test func otherContentIsReplacedOnlyOnRequest() async throws {
            try await Site.serving { site, agent in
                let old = try site.makeFile("old", bytes: 2 * Self.partBytes, seed: 1)
                let new = try site.makeFile("new", bytes: 2 * Self.partBytes, seed: 2)
                let longer = try site.makeFile("longer", bytes: 3 * Self.partBytes, seed: 3)
                func push(_ file: URL, _ options: [String] = [], exits status: Int32) async throws -> AgentRun {
                    try await agent.run(
                        ["push", file.path(percentEncoded: false), "--key", "key"] + options, exits: status)
                }
                _ = try await push(old, exits: 0)
                for file in [new, longer] { #expect(try await push(file, exits: 1).outcomes == ["keyTaken"]) }
                #expect(try await push(old, ["--if-exists", "fail"], exits: 1).outcomes == ["keyTaken"])
                try await site.expectObject("key", equals: old)
                _ = try await push(new, ["--if-exists", "replace"], exits: 0)
                try await site.expectObject("key", equals: new)
                try await site.expectNothingUnfinished()
            }
        }

        @Test func sendsADirectoryUnderItsRelativePaths() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port, prefix: "lab/")
                    let sizes = [0, 1, 4_096, 300_000, Self.partBytes * 3 + 5]
                    var files: [String: URL] = [:]
                    for index in 0..<60 {
                        let name = "tree/\(index % 7)/deep/file-\(index)"
                        files[name] = try site.makeFile(name, bytes: sizes[index % sizes.count], seed: UInt64(index))
                    }
                    let pushed = try await agent.run([
                        "push", site.path("tree"), "--prefix", "in/", "--part-size", "1MiB",
                    ])
                    #expect(try pushed.summary.files == 60)
                    for (name, file) in files {
                        try await site.expectObject("lab/in/" + name.dropFirst("tree/".count), equals: file)
                    }
                    try await site.expectNothingUnfinished()
                }
            }
        }

        @Test func sendsOtherFilesAfterAFailure() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 1_000)
                let run = try await agent.run(
                    ["push", site.path("no-such-file"), file.path(percentEncoded: false)], exits: 1)
                #expect(run.outcomes.sorted() == ["missing", "stored"])
                try await site.expectObject("file", equals: file)
            }
        }

        @Test(arguments: ["always", "never", "auto"])
        func compressionShrinksText(choice: String) async throws {
            try await Site.serving { site, agent in
                let text = (0..<200_000).map { "line \($0) of a log that says little\n" }.joined()
                let file = site.directory.appending(path: "log")
                try Data(text.utf8).write(to: file)
                let run = try await agent.run(
                    ["push", file.path(percentEncoded: false), "--part-size", "1MiB", "--compress", choice])
                try await site.expectObject("log", equals: file)
                let wire = try #require(try run.summary.wireBytes)
                #expect(choice == "never" ? wire > UInt64(text.utf8.count) : wire < UInt64(text.utf8.count) / 2)
            }
        }

        @Test func splitsASessionOverSeveralConnections() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeFile("file", bytes: 24 * Self.partBytes)
                        _ = try await agent.run(
                            [
                                "push", file.path(percentEncoded: false), "--part-size", "1MiB", "--connections", "3",
                                "--limit-rate", "40MB/s",
                            ])
                        try await site.expectObject("file", equals: file)
                        #expect(proxy.counts.connectionsAccepted == 3)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test func uploadsOfOneFileMayDifferInPartSize() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 5 * Self.partBytes + 1)
                for (key, size) in [("a", "1MiB"), ("b", "3MiB")] {
                    _ = try await agent.run(
                        ["push", file.path(percentEncoded: false), "--key", key, "--part-size", size])
                    try await site.expectObject(key, equals: file)
                }
            }
        }

        @Test func usesNamedInterfaces() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 5 * Self.partBytes)
                func push(by interfaces: String, exits status: Int32) async throws -> AgentRun {
                    try await agent.run(
                        ["push", file.path(percentEncoded: false), "--key", interfaces, "--interface", interfaces],
                        exits: status)
                }
                _ = try await push(by: "lo", exits: 0)
                _ = try await push(by: "lo,nowhere7", exits: 0)
                try await site.expectObject("lo,nowhere7", equals: file)
                _ = try await push(by: "nowhere7", exits: 75)
                _ = try await push(by: "lo,", exits: 64)
                _ = try await push(by: "a-name-that-is-far-too-long", exits: 64)
            }
        }

        @Test func keepsRateLimit() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 6_000_000)
                let start = ContinuousClock.now
                _ = try await agent.run(
                    ["push", file.path(percentEncoded: false), "--compress", "never", "--limit-rate", "2MB/s"])
                // Only the lower bound of the time is checked, because the upper bound depends on the machine.
                #expect(ContinuousClock.now - start > .seconds(2.8))
            }
        }
    }
}
