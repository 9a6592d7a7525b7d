import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of files that the agent cannot send and of keys that it cannot write.
    @Suite
    struct RefusalPathTests {
        @Test func missingPathIsReported() async throws {
            try await withAgent { site, agent in
                let missing = Refusal(66, "missing", "no such file", do: "path")
                try await agent.expectRefusal(["push", site.path("nothing")], missing)
                try FileManager.default.createSymbolicLink(
                    atPath: site.path("dangling"), withDestinationPath: site.path("nothing"))
                try await agent.expectRefusal(["push", site.path("dangling")], missing)
                let file = try site.makeFile("file", bytes: 10)
                try await agent.expectRefusal(["push", file.path(percentEncoded: false) + "/below"], missing)
            }
        }

        @Test func unreadableFileIsReported() async throws {
            try await withAgent { site, agent in
                let unprivileged = try await site.unprivileged(agent)
                let file = try site.makeFile("open", bytes: 1_000)
                let closed = try site.makeFile("closed", bytes: 1_000)
                _ = try site.makeFile("folder/below", bytes: 1_000)
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o644], ofItemAtPath: file.path(percentEncoded: false))
                for name in ["closed", "folder"] {
                    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: site.path(name))
                }
                let unreadable = Refusal(66, "unreadable", "[Pp]ermission denied", do: "user")
                for name in ["closed", "folder", "folder/below"] {
                    try await unprivileged.expectRefusal(["push", site.path(name)], unreadable)
                }
                let both = try await unprivileged.run(["push", site.path("closed"), site.path("open")], exits: 1)
                try both.expectRefusal(unreadable)
                try await site.expectObject("open", equals: file)
                try await site.expectNoObject("closed")
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: site.path("closed"))
                _ = try await unprivileged.run(["push", site.path("closed")])
                try await site.expectObject("closed", equals: closed)
            }
        }

        @Test func circularLinksAreReported() async throws {
            try await withAgent { site, agent in
                for (link, target) in [("a", "b"), ("b", "a")] {
                    try FileManager.default.createSymbolicLink(
                        atPath: site.path(link), withDestinationPath: site.path(target))
                }
                let loop = Refusal(66, "unreadable", "in a circle", do: "name the file")
                try await agent.expectRefusal(["push", site.path("a")], loop)
                // A walk follows no links below a directory. So a link that leads back to the directory does no harm.
                let file = try site.makeFile("tree/file", bytes: 1_000)
                try FileManager.default.createSymbolicLink(
                    atPath: site.path("tree/back"), withDestinationPath: site.path("tree"))
                let run = try await agent.run(["push", site.path("tree")])
                #expect(run.outcomes == ["stored"])
                try await site.expectObject("file", equals: file)
            }
        }

        @Test func pipesSocketsAndDevicesAreRefused() async throws {
            try await withAgent { site, agent in
                let file = try site.makeFile("tree/file", bytes: 1_000)
                // `bind` creates the file of a socket. The test does not need a socket that listens.
                try await site.shell(
                    """
                    mkfifo pipe tree/pipe && python3 -c 'import socket
                    socket.socket(socket.AF_UNIX).bind("socket")'
                    """)
                let special = Refusal(66, "unreadable", "not a regular file", do: "only regular files")
                for path in [site.path("pipe"), site.path("socket"), "/dev/null", "/dev/zero"] {
                    try await agent.expectRefusal(["push", path], special)
                }
                // The walk skips the named pipe below the directory. Otherwise it would wait for a writer of the pipe.
                _ = try await agent.run(["push", site.path("tree")])
                try await site.expectObject("file", equals: file)
            }
        }

        @Test func nonUTF8NamesAreReported() async throws {
            try await withAgent { site, agent in
                let file = try site.makeFile("tree/file", bytes: 1_000)
                try await site.shell(
                    """
                    mkdir bad && name=$(printf 'a\\377b') && printf x > tree/$name && printf y > bad/$name
                    printf x > bad/$name.tmp && printf x > bad/$name.jpg
                    """)
                let refusal = Refusal(66, "unreadable", "not UTF-8", do: "rename")
                let told: Result<Void, any Error>
                do {
                    let some = try await agent.run(["push", site.path("tree")], exits: 1)
                    try some.expectRefusal(refusal)
                    try await site.expectObject("file", equals: file)
                    let push = ["push", site.path("bad"), "--exclude", "*.tmp"]
                    let each = try await agent.run(push, exits: 66)
                    #expect(each.refusals.count == 2)
                    #expect(try each.summary.failed == 2)
                    for told in each.refusals {
                        try refusal.expect(try #require(told.message), sourceLocation: #_sourceLocation)
                    }
                    let command = "exec '\(agent.program.path)' push \"$(printf '\(site.path("bad"))/a\\377b')\""
                    let shell = AgentHandle(home: agent.home, program: try site.script("by shell", running: command))
                    try await shell.expectRefusal([], refusal)
                    told = .success(())
                } catch {
                    told = .failure(error)
                }
                // Foundation cannot remove names that are not UTF-8.
                try await site.shell("rm -r tree bad")
                try told.get()
            }
        }

        @Test func invalidKeysAreRefused() async throws {
            try await withAgent { site, agent in
                let file = try site.makeFile("file", bytes: 1_000)
                let before = try site.objects()
                let cases = [
                    ("../x", "\\.\\."), ("a/./b", "segment"), ("a//b", "two slashes"), (".sluice/x", "gateway's own"),
                    ("/x", "slash"), ("x/", "slash"), ("", "empty"), ("a\\b", "backslash"), ("a%2Fb", "percent"),
                    ("a\u{7}b", "control"), (String(repeating: "k", count: 1_025), "1,024"),
                ]
                for (key, cause) in cases {
                    let refusal = Refusal(64, "keyInvalid", cause, do: "choose another")
                    try await agent.expectRefusal(["push", file.path(percentEncoded: false), "--key", key], refusal)
                }
                #expect(try site.objects() == before)
                #expect(try await agent.unfinished().isEmpty)
                try await site.expectNothingUnfinished()
                _ = try await agent.run(["push", file.path(percentEncoded: false), "--key", "x/y"])
                try await site.expectObject("x/y", equals: file)
            }
        }

        @Test func takenKeyIsNotReplaced() async throws {
            try await withAgent { site, agent in
                let old = try site.makeFile("old", bytes: site.partBytes + 1, seed: 1)
                let same = try site.makeFile("same", bytes: site.partBytes + 1, seed: 1)
                let other = try site.makeFile("other", bytes: site.partBytes + 1, seed: 2)
                let longer = try site.makeFile("longer", bytes: 2 * site.partBytes, seed: 3)
                func push(_ file: URL, _ policy: String) -> [String] {
                    site.push(file) + ["--key", "key", "--if-exists", policy]
                }
                _ = try await agent.run(push(old, "verify"))
                #expect(try await agent.run(push(same, "verify")).outcomes == ["there"])
                let taken = Refusal(1, "keyTaken", "holds", do: "--if-exists replace")
                for (file, policy) in [
                    (other, "verify"), (longer, "verify"), (same, "fail"), (other, "fail"), (longer, "fail"),
                ] {
                    try await agent.expectRefusal(push(file, policy), taken)
                    try await site.expectObject("key", equals: old)
                }
                #expect(try await agent.unfinished().isEmpty)
                _ = try await agent.run(push(other, "replace"))
                try await site.expectObject("key", equals: other)
                try await site.expectNothingUnfinished()
            }
        }

        private func withAgent(_ body: (Site, AgentHandle) async throws -> Void) async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    try await body(site, try await site.makeAgent(port: gateway.port))
                }
            }
        }
    }
}

extension Site {
    fileprivate func objects() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path("store")).filter { !$0.hasPrefix(".sluice") }.sorted()
    }
}
