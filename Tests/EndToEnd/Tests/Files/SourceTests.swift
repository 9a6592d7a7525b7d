import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of reading files and the output of commands. The agent must refuse a source that is incomplete.
    @Suite
    struct SourceTests {
        // MARK: Listing

        /// Like a disk error within a directory, `readdir` returns three names and then an error.
        @Test func incompleteListingIsReported() async throws {
            try await Site.serving { site, agent in
                for index in 1...6 { _ = try site.makeFile("tree/bad/\(index)", bytes: 100 + index) }
                let file = try site.makeFile("tree/good", bytes: 100)
                try Self.failingReaddir.write(toFile: site.path("shim.c"), atomically: true, encoding: .utf8)
                try await site.shell("cc -shared -fPIC -o shim.so shim.c -ldl")
                let shim = "LD_PRELOAD='\(site.path("shim.so"))' FAILING_DIRECTORY=/tree/bad"
                let failing = AgentHandle(
                    home: agent.home,
                    program: try site.script("failing", running: "\(shim) exec '\(agent.program.path)'"))
                let refusal = Refusal(66, "unreadable", "not be listed completely .*Input/output error", do: "push it")
                let run = try await failing.run(["push", site.path("tree")], exits: 1)
                try run.expectRefusal(refusal)
                #expect(try run.summary.files == 5)
                try await site.expectObject("good", equals: file)
                let dry = try await failing.runForPeople(["push", site.path("tree/bad"), "--dry-run"])
                #expect(dry.exitStatus == .exited(1), "\(dry.transcript)")
                #expect(dry.transcript.contains("cannot send") && dry.transcript.contains("Input/output error"))
                #expect(try await agent.run(["push", site.path("tree")]).outcomes.count == 7)
            }
        }

        private static let failingReaddir = """
            #define _GNU_SOURCE
            #include <dirent.h>
            #include <dlfcn.h>
            #include <errno.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            #include <unistd.h>

            static int names;

            static int fails(DIR *stream, const char *name) {
                char link[64], path[4096];
                const char *wanted = getenv("FAILING_DIRECTORY");
                snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd(stream));
                ssize_t length = readlink(link, path, sizeof path - 1);
                if (length < 0 || !wanted) return 0;
                path[length] = 0;
                size_t end = strlen(wanted);
                if ((size_t)length < end || strcmp(path + length - end, wanted) != 0) return 0;
                return name[0] != '.' && ++names > 3;
            }

            struct dirent *readdir(DIR *stream) {
                struct dirent *(*real)(DIR *) = (struct dirent *(*)(DIR *))dlsym(RTLD_NEXT, "readdir");
                struct dirent *entry = real(stream);
                if (!entry || !fails(stream, entry->d_name)) return entry;
                errno = EIO;
                return NULL;
            }

            struct dirent64 *readdir64(DIR *stream) { return (struct dirent64 *)readdir(stream); }
            """

        // MARK: Sizes

        @Test func fileWithFalseSizeIsRefused() async throws {
            try await Site.serving { site, agent in
                let untrusted = Refusal(66, "unreadable", "size cannot be trusted", do: "pipe it in with push -")
                for path in ["/proc/version", "/sys/class/net/lo/mtu"] {
                    try await agent.expectRefusal(["push", path], untrusted)
                    let dry = try await agent.runForPeople(["push", path, "--dry-run"])
                    #expect(dry.exitStatus == .exited(66) && dry.transcript.contains("size cannot be trusted"))
                    let command =
                        "exec '\(agent.program.path)' push - --key piped-in --if-exists replace "
                        + "--home '\(agent.home)' < \(path)"
                    let piped = try await run(Site.shell, ["-c", command], within: Site.deadline)
                    #expect(piped.exitStatus == .exited(0), "\(piped.transcript)")
                    try await site.shell("cat \(path) > copy")
                    try await site.expectObject("piped-in", equals: site.directory.appending(path: "copy"))
                    let digest = try await run(agent.program, ["digest", path])
                    let whole = try fileDigest(site.directory.appending(path: "copy"))
                    #expect(digest.lines(of: .standardOutput).first == "sha256  \(whole)  \(path)")
                }
            }
        }

        // MARK: Keys

        @Test func twoFilesOfOneKeyAreBothRefused() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("a/x", bytes: 10, seed: 1)
                _ = try site.makeFile("b/x", bytes: 10, seed: 2)
                let other = try site.makeFile("b/y", bytes: 10, seed: 3)
                let push = ["push", site.path("a"), site.path("b"), "--if-exists", "replace"]
                let dry = try await agent.runForPeople(push + ["--dry-run"])
                #expect(dry.exitStatus == .exited(1), "\(dry.transcript)")
                for (one, another) in [("a/x", "b/x"), ("b/x", "a/x")] {
                    let told = "cannot send  \(site.path(one)): it would have the same key as \(site.path(another))"
                    #expect(dry.transcript.contains(told), "\(dry.transcript)")
                }
                let run = try await agent.run(push, exits: 1)
                #expect(run.outcomes.sorted() == ["keyInvalid", "keyInvalid", "stored"])
                for refusal in run.refusals { #expect(refusal.message?.contains("the same key as") == true) }
                try await site.expectNoObject("x")
                try await site.expectObject("y", equals: other)
                let (one, another) = (site.path("a/x"), site.path("b/x"))
                #expect(try await agent.run(["push", one, another], exits: 64).refusals.count == 2)
                #expect(try await agent.run(["push", one, one]).outcomes == ["stored"])
            }
        }

        // MARK: The agent's home

        @Test func theAgentsHomeIsNeverSent() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("file", bytes: 100)
                let exclude = ["store", "gateway", "pin"].flatMap { ["--exclude", $0] }
                let run = try await agent.run(["push", site.path("")] + exclude)
                #expect(run.notes.filter { $0.contains("left out: the agent's home") }.count == 1)
                #expect(run.outcomes == ["stored"], "\(run.events)")
                let names = try FileManager.default.subpathsOfDirectory(atPath: agent.home)
                #expect(names.contains("identity.key") && names.contains("journal.sqlite"))
                for name in names { try await site.expectNoObject("agent/\(name)") }
                let dry = try await agent.runForPeople(["push", site.path(""), "--dry-run"] + exclude)
                #expect(dry.transcript.contains("leaves out  \(site.path("agent")): left out: the agent's home"))
                let refusal = Refusal(66, "unreadable", "agent's own home, which is never sent", do: "name something")
                try FileManager.default.createSymbolicLink(
                    atPath: site.path("link"), withDestinationPath: agent.home + "/identity.key")
                for path in [
                    agent.home, agent.home + "/identity.key", agent.home + "/journal.sqlite", site.path("link"),
                ] {
                    try await agent.expectRefusal(["push", path], refusal)
                }
                try await site.expectNoObject("identity.key")
            }
        }

        // MARK: Producers that fail

        @Test func outputOfFailedCommandIsNotStored() async throws {
            try await Site.serving { site, agent in
                let bytes = 3 * site.partBytes + 5
                let file = try site.makeFile("file", bytes: bytes)
                func push(_ line: String) -> [String] {
                    [
                        "push", "--key", "key", "--part-size", site.partSize, "--json", "--home", agent.home, "--",
                        "sh", "-c", line,
                    ]
                }
                let cat = "cat '\(file.path(percentEncoded: false))'"
                for (line, cause) in [
                    ("\(cat); exit 7", "exit status 7"), ("\(cat); kill -9 $$", "signal 9"),
                    ("exit 1", "exit status 1"),
                    ("head -c \(site.partBytes) /dev/zero; exit 2", "exit status 2"),
                ] {
                    let program = try await run(agent.program, push(line), within: Site.deadline)
                    #expect(program.exitStatus == .exited(65), "\(program.transcript)")
                    try AgentRun(program).expectRefusal(
                        Refusal(65, "incomplete", cause, do: "nothing is stored; push it again"))
                    try await site.expectNoObject("key")
                    try await site.expectNothingUnfinished()
                    #expect(try await agent.unfinished().isEmpty)
                }
                let program = try await run(agent.program, push(cat), within: Site.deadline)
                #expect(program.exitStatus == .exited(0), "\(program.transcript)")
                try await site.expectObject("key", equals: file)
                for arguments in [["push", "--", "true"], ["push", "file", "--key", "k", "--", "true"]] {
                    let refused = try await agent.runForPeople(
                        Array(arguments.prefix { $0 != "--" }) + ["--home", agent.home, "--", "true"])
                    #expect(refused.exitStatus == .exited(64), "\(refused.transcript)")
                }
            }
        }

        @Test func streamOfUnexpectedSizeIsNotStored() async throws {
            try await Site.serving { site, agent in
                let bytes = 2 * site.partBytes + 7
                let file = try site.makeFile("file", bytes: bytes)
                func push(expecting expected: Int) async throws -> Program {
                    let command =
                        "cat '\(file.path(percentEncoded: false))' | '\(agent.program.path)' push - --key key "
                        + "--part-size \(site.partSize) --expect-size \(expected)B --home '\(agent.home)'"
                    return try await run(Site.shell, ["-c", command], within: Site.deadline)
                }
                for expected in [0, bytes - 1, bytes + 1, 10 * bytes] {
                    let program = try await push(expecting: expected)
                    #expect(program.exitStatus == .exited(65), "\(program.transcript)")
                    #expect(program.transcript.contains("expected \(expected) bytes"), "\(program.transcript)")
                    try await site.expectNoObject("key")
                    try await site.expectNothingUnfinished()
                }
                #expect(try await push(expecting: bytes).exitStatus == .exited(0))
                try await site.expectObject("key", equals: file)
                let path = file.path(percentEncoded: false)
                let other = Refusal(65, "incomplete", "has \(bytes) bytes, and 5 are expected", do: "push it again")
                try await agent.expectRefusal(["push", path, "--expect-size", "5B"], other)
                _ = try await agent.run(["push", path, "--expect-size", "\(bytes)B"])
            }
        }
    }
}
