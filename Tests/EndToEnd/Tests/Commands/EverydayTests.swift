import Foundation
import NIOCore
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of everyday use other than plain pushes: status, stop, drop, resuming with another command, streams and
    /// folders.
    @Suite
    struct EverydayTests {
        @Test(arguments: StorageKind.usual)
        func aStreamSurvivesCuts(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeLargeFile()
                        try await proxy.change { $0.cutEvery = .seconds(1) }
                        let rate = 3 * site.partBytes / 1_000_000
                        let command =
                            "cat '\(file.path(percentEncoded: false))' | '\(agent.program.path)' push - --key stream "
                            + "--part-size \(site.partSize) --limit-rate \(rate)MB/s --json --home '\(agent.home)'"
                        let run = try await withProgram(Site.shell, ["-c", command]) { program in
                            let ended = try await program.waitForExit(within: Site.deadline)
                            #expect(ended == .exited(0), "\(program.transcript)")
                            return AgentRun(program)
                        }
                        #expect(run.outcomes == ["stored"])
                        #expect(proxy.counts.connectionsCut >= 2)
                        try await site.expectObject("stream", equals: file)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test(arguments: [0, 1, 1 << 20, (1 << 20) + 1], StorageKind.usual)
        func aStreamOfAnySizeArrives(bytes: Int, kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeFile("file", bytes: bytes)
                let command =
                    "'\(agent.program.path)' push - --key stream --part-size \(site.partSize) "
                    + "--home '\(agent.home)' < '\(file.path(percentEncoded: false))'"
                let program = try await run(Site.shell, ["-c", command])
                #expect(program.exitStatus == .exited(0), "\(program.transcript)")
                try await site.expectObject("stream", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test func abortStopsRunningPush() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                try await agent.start(site.slowPush(file)) { push in
                    try await push.waitForStoredParts(2)
                    let dropped = try await agent.run(["abort", "1"])
                    #expect(dropped.outcomes == ["dropped"])
                    // The dropped file is not stored, so the push exits with 1.
                    let ended = try await push.waitForExit(within: .seconds(10))
                    #expect(ended == .exited(1), "\(push.transcript)")
                    #expect(AgentRun(push).outcomes == ["dropped"])
                }
                try await site.expectNothingUnfinished()
                try await site.expectNoObject("file")
            }
        }

        @Test func abortTakesSeveralNumbers() async throws {
            try await Site.serving { site, agent in
                for index in 1...3 {
                    _ = try await site.pushAndKill(agent, site.makeLargeFile("file-\(index)", seed: UInt64(index)))
                }
                let dropped = try await agent.run(["abort", "3", "1", "3"])
                #expect(dropped.outcomes == ["dropped", "dropped"])
                #expect(try await agent.unfinished().map { $0.first } == ["2"])
            }
        }

        /// The file of one upload was deleted: the other is resumed, and the message says how to drop the first.
        @Test func aDeletedFileDoesNotKeepTheOthers() async throws {
            try await Site.serving { site, agent in
                let files = [try site.makeLargeFile("first"), try site.makeLargeFile("second", seed: 2)]
                for file in files { _ = try await site.pushAndKill(agent, file) }
                try FileManager.default.removeItem(at: files[0])
                let resumed = try await agent.run(["resume", "--all"], exits: 1)
                #expect(resumed.outcomes.sorted() == ["missing", "stored"])
                #expect(resumed.refusals.first?.message?.contains("sluice-agent abort ID") == true)
                try await site.expectObject("second", equals: files[1])
                _ = try await agent.run(["resume", "--all"], exits: 66)
                _ = try await agent.run(["abort", "1"])
                _ = try await agent.run(["resume", "--all"])
                try await site.expectNothingUnfinished()
            }
        }

        @Test func aPushWithoutFilesSaysSo() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("tree/file.txt", bytes: 10)
                try FileManager.default.createDirectory(atPath: site.path("empty"), withIntermediateDirectories: false)
                for (arguments, reason) in [
                    ([site.path("empty")], "no file was found below what you named"),
                    ([site.path("tree"), "--include", "*.mp4"], "1 name that does not fit --include and --exclude"),
                ] {
                    let program = try await agent.runForPeople(["push"] + arguments)
                    #expect(program.exitStatus == .exited(0), "\(program.transcript)")
                    #expect(program.lines(of: .standardOutput).isEmpty, "\(program.transcript)")
                    let told = program.lines(of: .standardError)
                    #expect(told.count == 1 && told.first?.contains(reason) == true, "\(told)")
                }
            }
        }

        /// A journal that was lost is restored by asking the gateway once.
        @Test func aRemoteCheckRestoresTheProofs() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 3 * site.partBytes)
                _ = try await agent.run(site.push(file))
                for suffix in ["", "-wal", "-shm", ".closed"] {
                    // try?: SQLite may have removed the log already.
                    try? FileManager.default.removeItem(atPath: agent.home + "/journal.sqlite" + suffix)
                }
                let path = file.path(percentEncoded: false)
                #expect(try await agent.check([path], exits: 1).first?.state == "not_sent")
                let size = ["--part-size", site.partSize]
                #expect(try await agent.check([path, "--remote"] + size, exits: 0).first?.state == "proven")
                #expect(try await agent.check([path], exits: 0).first?.state == "proven")
                let pushed = try await agent.run(site.push(file))
                #expect(pushed.outcomes == ["there"])
                #expect(try pushed.summary.bytesSent == 0)
            }
        }

        @Test func dropWaitsForTheGateway() async throws {
            try await Site.with { site in
                try await withFaultProxy(upstreamPort: 1) { proxy in
                    let file = try site.makeLargeFile()
                    let agent = try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        let agent = try await site.makeAgent(port: proxy.port)
                        _ = try await site.pushAndKill(agent, file)
                        return agent
                    }
                    let away = try await agent.run(["abort", "1", "--retry-for", "1s"], exits: 75)
                    let message = try #require(away.refusals.first?.message)
                    #expect(message.hasSuffix("; a push or resume drops it when it reaches the gateway"), "\(message)")
                    for command in [["abort", "99"], ["resume", "99"]] {
                        let wrong = try await agent.run(command + ["--retry-for", "1h"], exits: 66)
                        #expect(wrong.outcomes == ["missing"])
                        let advice = "there is no unfinished upload 99; sluice-agent status lists them"
                        #expect(wrong.refusals.first?.message == advice)
                    }
                    let status = try await run(agent.program, ["status", "--home", agent.home])
                    #expect(status.transcript.contains("to be dropped as soon as"), "\(status.transcript)")
                    try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        let other = try site.makeFile("other", bytes: 1_000)
                        let pushed = try await agent.run(site.push(other))
                        #expect(pushed.outcomes.sorted() == ["dropped", "stored"])
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        /// A stream cannot be read again, so its upload cannot be resumed.
        @Test func aStreamThatIsGivenUpIsNotToBeResumed() async throws {
            try await Site.with { site in
                var faults = Faults()
                faults.refusesConnections = true
                try await withFaultProxy(upstreamPort: 1, faults: faults) { proxy in
                    let agent = try await site.makeAgent(port: proxy.port)
                    let options = ["push", "--key", "stream", "--retry-for", "1s", "--home", agent.home]
                    let told = try await run(agent.program, options + ["--", "echo", "text"])
                    #expect(told.exitStatus == .exited(75), "\(told.transcript)")
                    #expect(told.transcript.contains("then push the stream again, from its beginning"))
                    #expect(!told.transcript.contains("resume"), "\(told.transcript)")
                }
            }
        }

        @Test func movedFileResumesIfDigestsMatch() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                let moved = site.directory.appending(path: "moved")
                try FileManager.default.moveItem(at: file, to: moved)
                #expect(try await agent.run(["resume", "1"], exits: 66).outcomes == ["missing"])
                let wrong = try site.makeLargeFile("wrong", seed: 9)
                let refused = try await agent.run(
                    ["resume", "1", "--file", wrong.path(percentEncoded: false)], exits: 65)
                #expect(refused.outcomes == ["wrongFile"])
                let rest = try await agent.run(["resume", "1", "--file", moved.path(percentEncoded: false)])
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                try await site.expectObject("file", equals: moved)
            }
        }

        /// The program `script` makes the pseudoterminal on which the agent asks.
        @Test func resumeAsksOnATerminal() async throws {
            try await Site.serving { site, agent in
                let files = [try site.makeLargeFile("first"), try site.makeLargeFile("second", seed: 2)]
                for file in files { _ = try await site.pushAndKill(agent, file) }
                let command =
                    "(echo now; echo drop) | script -qec \"'\(agent.program.path)' resume --home '\(agent.home)'\" "
                    + "/dev/null"
                let program = try await run(Site.shell, ["-c", command], within: Site.deadline)
                #expect(program.exitStatus == .exited(0), "\(program.transcript)")
                #expect(program.transcript.contains("continue now, later, or drop what is stored?"))
                try await site.expectObject("first", equals: files[0])
                try await site.expectNoObject("second")
                try await site.expectNothingUnfinished()
            }
        }

        @Test func interruptPrintsResumeAndAbortCommands() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let arguments = site.slowPush(file) + ["--home", agent.home]
                try await withProgram(agent.program, arguments + ["--verbose"]) { program in
                    try await program.waitForLine { $0.contains("part 1 stored") || $0.contains("part 2 stored") }
                    program.kill(SIGINT)
                    #expect(try await program.waitForExit(within: .seconds(2)) == .exited(75))
                    let told = program.transcript
                    #expect(told.contains("sluice-agent resume continues, sluice-agent abort ID drops"), "\(told)")
                }
            }
        }

        @Test func folderPushPrintsTableOfFailures() async throws {
            try await Site.serving { site, agent in
                for index in 0..<5 { _ = try site.makeFile("tree/file-\(index)", bytes: 1_000 + index) }
                _ = try site.makeFile("tree/left-out.tmp", bytes: 10)
                _ = try site.makeFile("other", bytes: 1_002, seed: 5)
                _ = try await agent.run(["push", site.path("other"), "--key", "file-2"])
                let arguments = ["push", site.path("tree"), "--exclude", "*.tmp", "--home", agent.home]
                let dry = try await run(agent.program, arguments + ["--dry-run"])
                #expect(dry.exitStatus == .exited(0) && dry.transcript.contains("5 files, 4.9 KiB in all"))
                let pushed = try await run(agent.program, arguments, within: Site.deadline)
                #expect(pushed.exitStatus == .exited(1), "\(pushed.transcript)")
                #expect(pushed.transcript.contains("Not stored:"))
                for index in [0, 1, 3, 4] {
                    let file = site.directory.appending(path: "tree/file-\(index)")
                    try await site.expectObject("file-\(index)", equals: file)
                }
                try await site.expectNoObject("left-out.tmp")
            }
        }

        /// The list of files that wait for their turn is on disk, not in memory.
        @Test func thousandsOfSmallFilesTakeLittleMemory() async throws {
            try await Site.serving { site, agent in
                let count = 3_000
                for index in 0..<count { _ = try site.makeFile("tree/\(index % 30)/\(index)", bytes: 100) }
                let pushed = try await agent.start(["push", site.path("tree")]) { program in
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(0))
                    #expect(program.peakMemoryBytes < 128 << 20)
                    return AgentRun(program)
                }
                #expect(try pushed.summary.files == count)
                try await site.expectNothingUnfinished()
            }
        }

        @Test func repeatedNumberMeansOneUpload() async throws {
            try await Site.serving { site, agent in
                _ = try await site.pushAndKill(agent, site.makeLargeFile("large"))
                _ = try await agent.run(["resume", "1", "1"])
                try await site.expectNothingUnfinished()
            }
        }

        @Test func digestMatchesOtherTools() async throws {
            try await withTemporaryDirectory("digest") { directory in
                let file = directory.appending(path: "file")
                try SeededFile(seed: 3, byteCount: 3_000_000).write(to: file)
                let path = file.path(percentEncoded: false)
                let program = try await run(try .built("sluice-agent"), ["digest", path, "--part-size", "1MiB"])
                #expect(program.exitStatus == .exited(0))
                let lines = program.lines(of: .standardOutput)
                #expect(lines.first == "sha256  \(try fileDigest(file))  \(path)")
                #expect(lines.last?.hasPrefix("root    ") == true && lines.last?.hasSuffix("in parts of 1MiB") == true)
            }
        }

        @Test func libraryPausesAndResumes() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let program = try await run(
                    try .built("upload-sample"), [file.path(percentEncoded: false), "sample", agent.home],
                    within: Site.deadline)
                #expect(program.exitStatus == .exited(0), "\(program.transcript)")
                #expect(program.transcript.contains("paused; continuing"))
                #expect(program.transcript.contains("stored \(site.largeFileBytes) bytes, root "))
                // The numbers of sent bytes, before the pause and after it. Each run counts from 0.
                let sent = program.lines(of: .standardOutput).split { $0.hasPrefix("paused") }.map { lines in
                    lines.compactMap {
                        $0.hasSuffix(" sent") ? Int($0.split(separator: " ").suffix(2).first ?? "") : nil
                    }
                    .max() ?? 0
                }
                #expect(sent.count == 2 && sent.reduce(0, +) <= site.largeFileBytes + 300_000, "\(sent)")
                try await site.expectObject("sample", equals: file)
                try await site.expectNothingUnfinished()
            }
        }
    }
}
