import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of files that cannot be sent, or that change during the push. The agent refuses such a file with one
    /// sentence. It stores nothing under the file's key, and keeps an object that exists there.
    @Suite
    struct RefusalTests {
        @Test func changedFileIsNotResumed() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                try SeededFile(seed: 99, byteCount: site.largeFileBytes).write(to: file)
                let digest = try fileDigest(file)
                let parts = try await site.storage.unfinished()
                try await agent.expectRefusal(
                    ["resume", "1"], Refusal(65, "wrongFile", "not the one", do: "--file"))
                #expect(try fileDigest(file) == digest)
                #expect(try await site.storage.unfinished() == parts, "what is stored is kept")
                #expect(try await agent.unfinished().count == 1)
                _ = try await agent.run(site.push(file))
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        /// How a program changes a file during its upload.
        enum Change: CaseIterable {
            case rewrittenWhereItWasSent
            case rewrittenAhead
            case cutShort
            case grown

            func happen(to file: URL, bytes: Int) throws {
                let handle = try FileHandle(forUpdating: file)
                switch self {
                case .rewrittenWhereItWasSent:
                    try handle.write(contentsOf: Data("other".utf8))
                case .rewrittenAhead:
                    try handle.seek(toOffset: UInt64(bytes - 5))
                    try handle.write(contentsOf: Data("other".utf8))
                case .cutShort:
                    try handle.truncate(atOffset: UInt64(bytes / 4))
                case .grown:
                    try handle.seekToEnd()
                    try handle.write(contentsOf: Data("more".utf8))
                }
                try handle.close()
            }
        }

        @Test(arguments: Change.allCases)
        func changingFileIsNeverCompleted(change: Change) async throws {
            try await Site.serving { site, agent in
                let old = try site.makeFile("old", bytes: 1_000, seed: 7)
                _ = try await agent.run(["push", old.path(percentEncoded: false), "--key", "file"])
                let file = try site.makeLargeFile()
                let replacing = ["--if-exists", "replace"]
                let run = try await agent.start(site.slowPush(file) + replacing) { program in
                    try await program.waitForStoredParts(2)
                    try change.happen(to: file, bytes: site.largeFileBytes)
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(65), "\(program.transcript)")
                    return AgentRun(program)
                }
                try run.expectRefusal(Refusal(65, "changed", "changed|cut short", do: "again"))
                try await site.expectObject("file", equals: old)
                #expect(try await agent.unfinished().count == 1)
                _ = try await agent.run(site.push(file) + replacing)
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test func changingFileIsReportedInText() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let path = file.path(percentEncoded: false)
                let writer = "while echo x >> '\(path)'; do sleep 0.05; done"
                try await withProgram(Site.shell, ["-c", writer]) { _ in
                    try await agent.expectRefusalForPeople(
                        site.slowPush(file), Refusal(65, "changed", "changed", do: "again"))
                }
                try await site.expectNoObject("file")
            }
        }

        @Test func openFileSurvivesRemovalAndReplacement() async throws {
            try await Site.serving { site, agent in
                for (name, isReplaced) in [("removed", false), ("replaced", true)] {
                    let file = try site.makeLargeFile(name)
                    let copy = try site.makeLargeFile("copy of \(name)")
                    let other = try site.makeFile("other", bytes: 1_000, seed: 5)
                    try await agent.start(site.push(file) + ["--limit-rate", "6MB/s"]) { program in
                        try await program.waitForStoredParts(2)
                        try FileManager.default.removeItem(at: file)
                        if isReplaced { try FileManager.default.moveItem(at: other, to: file) }
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(0), "\(program.transcript)")
                    }
                    try await site.expectObject(name, equals: copy)
                }
                try await site.expectNothingUnfinished()
            }
        }

        @Test func vanishedFileStaysPending() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                let moved = site.directory.appending(path: "moved")
                try FileManager.default.moveItem(at: file, to: moved)
                let missing = Refusal(66, "missing", "no such file", do: "path|--file")
                try await agent.expectRefusal(["resume", "1"], missing)
                try await agent.expectRefusal(site.push(file), missing)
                #expect(try await agent.unfinished().count == 1)
                let rest = try await agent.run(["resume", "1", "--file", moved.path(percentEncoded: false)])
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                try await site.expectObject("file", equals: moved)
                try await site.expectNothingUnfinished()
            }
        }

        /// A file that waits for its turn is not open, so it may disappear before its turn comes.
        @Test func queuedFileThatVanishesIsReported() async throws {
            try await Site.serving { site, agent in
                let count = 400
                for index in 0..<count { _ = try site.makeFile("tree/\(1_000 + index)", bytes: 10_000) }
                let last = site.path("tree/\(1_000 + count - 1)")
                let arguments = ["push", site.path("tree"), "--limit-rate", "2MB/s", "--compress", "never"]
                let run = try await agent.start(arguments) { program in
                    try await program.waitForLine(of: .standardOutput) { $0.contains("\"part\"") }
                    try FileManager.default.removeItem(atPath: last)
                    let ended = try await program.waitForExit(within: Site.deadline)
                    // The exit code is 1 because only some files failed, and others are stored.
                    #expect(ended == .exited(1), "\(program.transcript)")
                    return AgentRun(program)
                }
                try run.expectRefusal(Refusal(66, "missing", "no such file", do: "path"))
                #expect(run.refusals.first?.key == "\(1_000 + count - 1)")
                #expect(run.outcomes.filter { $0 == "stored" }.count == count - 1)
                try await site.expectNothingUnfinished()
            }
        }
    }
}
