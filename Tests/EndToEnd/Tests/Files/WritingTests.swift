import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of pushing files while another process writes them: no file is stored before it is complete.
    @Suite
    struct WritingTests {
        /// How a process writes a file: a piece every 0.1 s for about three seconds.
        enum Writer: String, CaseIterable, Sendable {
            case appends
            case writesOver
            case storesThroughAMapping

            fileprivate func program(_ path: String) throws -> (Executable, [String]) {
                switch self {
                case .appends:
                    let line = "exec 3>>'\(path)'; echo open; for i in $(seq 30); do echo line $i >&3; sleep 0.1; done"
                    return (Site.shell, ["-c", line])
                case .writesOver:
                    return (
                        try .inSearchPath("python3"),
                        ["-c", Self.script("file.seek(step); file.write(bytes([step])); file.flush()"), path]
                    )
                case .storesThroughAMapping:
                    return (try .inSearchPath("python3"), ["-c", Self.script("pages[step] = step"), path])
                }
            }

            private static func script(_ step: String) -> String {
                """
                import mmap, sys, time
                file = open(sys.argv[1], "r+b")
                pages = mmap.mmap(file.fileno(), 0)
                print("open", flush=True)
                for step in range(1, 31):
                    \(step)
                    time.sleep(0.1)
                """
            }
        }

        /// - Parameter withLeases: false runs the agent as a user to whom the kernel grants no leases.
        @Test(arguments: Writer.allCases, [true, false])
        func growingFileIsNotStored(writer: Writer, withLeases: Bool) async throws {
            try await Site.serving { site, agent in
                let agent = withLeases ? agent : try await site.unprivileged(agent)
                let file = try site.makeFile("file", bytes: 100_000)
                let path = file.path(percentEncoded: false)
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
                let (program, arguments) = try writer.program(path)
                // Between two writes the file does not change. The time between two looks must be longer, so that the
                // second look sees a change.
                let push = ["push", path, "--settle", "500ms"]
                var outcomes: [String] = []
                try await withProgram(program, arguments) { running in
                    // Until the writer has opened the file, the file looks complete, and the agent would be right to
                    // store it. So wait.
                    try await running.waitForLine { $0 == "open" }
                    while running.exitStatus == nil {
                        let run = try await agent.start(push) { agent in
                            let status = try await agent.waitForExit()
                            let run = AgentRun(agent)
                            #expect(status == .exited(run.outcomes == ["stillWritten"] ? 75 : 0), "\(agent.transcript)")
                            return run
                        }
                        outcomes += run.outcomes
                    }
                    #expect(running.exitStatus == .exited(0), "\(running.transcript)")
                }
                #expect(outcomes.filter { $0 == "stillWritten" }.count >= 2, "\(outcomes)")
                // If an incomplete file had been stored, this push would find the key taken and fail.
                outcomes += try await agent.run(push).outcomes
                #expect(outcomes.last == "stored" || outcomes.last == "there", "\(outcomes)")
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test func fileOpenForWritingIsReported() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("file", bytes: 1_000)
                let line = "exec 3>>'\(site.path("file"))'; echo open; exec sleep 1000"
                try await withProgram(Site.shell, ["-c", line]) { writer in
                    try await writer.waitForLine { $0 == "open" }
                    let refusal = Refusal(
                        75, "stillWritten", "still being written", do: "push it again when its writer")
                    try await agent.expectRefusal(["push", site.path("file"), "--settle", "100ms"], refusal)
                    try await site.expectNoObject("file")
                }
                _ = try await agent.run(["push", site.path("file")])
            }
        }

        /// The second look would come only after an hour. The file is stored within the test, so one look was enough.
        @Test func anOrdinaryPushStartsAtOnce() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("new", bytes: 1_000)
                _ = try await agent.run(["push", file.path(percentEncoded: false), "--settle", "1h"])
                let old = try site.makeFile("old", bytes: 1_000)
                let path = old.path(percentEncoded: false)
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
                // Without leases, one look is enough if the file's change time is old enough. The agent relies on the
                // change time once it has seen the clock run steadily for 2 s.
                let unprivileged = try await site.unprivileged(agent)
                try await site.shell("sleep 2.5")
                _ = try await unprivileged.run(["push", path, "--settle", "1h"])
                try await site.expectObject("old", equals: old)
            }
        }

        /// One file waits for its second look, which would come only after an hour.
        @Test func otherFilesAreSentMeanwhile() async throws {
            try await Site.serving { site, agent in
                for index in 0..<200 { _ = try site.makeFile("tree/\(index)", bytes: 100) }
                let line = "exec 3>>'\(site.path("tree/0"))'; echo open; exec sleep 1000"
                try await withProgram(Site.shell, ["-c", line]) { writer in
                    try await writer.waitForLine { $0 == "open" }
                    try await agent.start(["push", site.path("tree"), "--settle", "1h"]) { push in
                        let stored = Watched(Set<String>())
                        try await push.waitForLine(within: Site.deadline) { line in
                            guard let event = AgentRun.event(line), event.outcome == "stored", let key = event.key
                            else { return false }
                            return stored.update { keys in
                                keys.insert(key)
                                return keys.count == 199
                            }
                        }
                        push.kill(SIGINT)
                        #expect(try await push.waitForExit(within: Site.deadline) == .exited(75), "\(push.transcript)")
                        // The file was not handed to the agent's machine yet, so it has no outcome. The totals count it
                        // as not begun.
                        #expect(push.transcript.contains("\"not_begun\":1,"), "\(push.transcript)")
                    }
                }
                try await site.expectNoObject("0")
            }
        }
    }
}
