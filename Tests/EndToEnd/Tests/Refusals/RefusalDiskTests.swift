import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of full disks, at the agent and at the gateway's store, and of unusable homes.
    @Suite
    struct RefusalDiskTests {
        @Test func fullStoreIsReportedAfterWaiting() async throws {
            try await Site.with { site in
                let disk = try SmallDisk(site, "store disk", bytes: 16 << 20)
                let serve = [
                    "serve", "--home", site.path("gateway"), "--listen", "127.0.0.1:0", "--store",
                    URL(filePath: disk.path).absoluteString,
                ]
                try await withProgram(try disk.mounting(.built("sluice-gateway")), serve) { gateway in
                    let line = try await gateway.waitForLine(of: .standardOutput) { $0.hasPrefix("listening on ") }
                    let port = try #require(line.text.split(separator: ":").last.flatMap { Int($0) })
                    let inside = disk.path(seenFrom: gateway)
                    try await fill(inside, leaving: 4 * site.partBytes)
                    let agent = try await site.makeAgent(port: port)
                    let file = try site.makeFile("file", bytes: 6 * site.partBytes + 17)
                    let small = try site.makeFile("small", bytes: 200_000)
                    let full = Refusal(75, "storeFull", "store is full", do: "again")
                    // Send one part after another. Several at once could fill the disk before the store has one whole
                    // part.
                    let push = site.push(file) + ["--retry-for", "2s", "--concurrency", "1"]
                    try await agent.expectRefusal(push, full)
                    #expect(try await agent.unfinished().count == 1)
                    try await fill(inside, leaving: 0)
                    try await agent.expectRefusal(site.push(small) + ["--retry-for", "2s"], full)
                    try FileManager.default.removeItem(atPath: inside + "/filler")
                    let rest = try await agent.run(["resume", "--all"])
                    #expect(try rest.summary.bytesResumed ?? 0 > 0)
                    for (name, source) in [("file", file), ("small", small)] {
                        let stored = try fileDigest(URL(filePath: inside + "/" + name))
                        #expect(try stored == fileDigest(source))
                    }
                    for folder in ["uploads", "sessions"] {
                        let left = try FileManager.default.contentsOfDirectory(atPath: inside + "/.sluice/" + folder)
                        #expect(left == [])
                    }
                }
            }
        }

        @Test func fullDiskOfJournalLosesNothing() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let made = try await site.makeAgent(port: gateway.port)
                    let disk = try SmallDisk(site, "home disk", bytes: 512 << 10)
                    try await disk.withMount { holder in
                        let inside = disk.path(seenFrom: holder)
                        try await site.shell("cp -a '\(made.home)/.' '\(inside)'")
                        let agent = AgentHandle(home: disk.path, program: try disk.entering(holder, made.program))
                        let file = try site.makeLargeFile()
                        let full = Refusal(74, "journalFull", "disk is full", do: "make room")
                        try await fill(inside, leaving: 0)
                        try await agent.expectRefusalAtOnce(site.push(file), full)
                        try FileManager.default.removeItem(atPath: inside + "/filler")
                        let run = try await agent.start(site.slowPush(file)) { program in
                            try await program.waitForStoredParts(3)
                            try await fill(inside, leaving: 0)
                            let ended = try await program.waitForExit(within: Site.deadline)
                            #expect(ended == .exited(74), "\(program.transcript)")
                            return AgentRun(program)
                        }
                        try run.expectRefusal(full)
                        try FileManager.default.removeItem(atPath: inside + "/filler")
                        let rest = try await agent.run(site.push(file))
                        #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(2 * site.partBytes))
                        try await site.expectObject("file", equals: file)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        /// Every further file would fail for the same reason, so the run ends at the first write that fails.
        @Test func fullDiskOfJournalEndsTheRun() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let made = try await site.makeAgent(port: gateway.port)
                    let count = 2_000
                    for index in 0..<count { _ = try site.makeFile("tree/\(index)", bytes: 20_000) }
                    let disk = try SmallDisk(site, "home disk", bytes: 16 << 20)
                    try await disk.withMount { holder in
                        let inside = disk.path(seenFrom: holder)
                        try await site.shell("cp -a '\(made.home)/.' '\(inside)'")
                        let agent = AgentHandle(home: disk.path, program: try disk.entering(holder, made.program))
                        let push = ["push", site.path("tree"), "--limit-rate", "1MB/s", "--compress", "never"]
                        try await agent.expectEnding(push, "journalFull", exits: 74, files: count) { program in
                            try await program.waitForLine(of: .standardOutput) { $0.contains("\"outcome\":\"stored\"") }
                            try await fill(inside, leaving: 0)
                        }
                    }
                }
            }
        }

        private func fill(_ path: String, leaving bytes: Int) async throws {
            let blocks = "$(($(stat -f -c %a '\(path)') - \(bytes / 4_096)))"
            let filler = "dd if=/dev/zero bs=4096 count=\(blocks) status=none >> '\(path)/filler'"
            _ = try await run(Site.shell, ["-c", filler], within: Site.deadline)
        }

        @Test func secondProcessInHomeIsRefused() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let busy = Refusal(75, "", "another sluice-agent is at work", do: "wait for it")
                try await agent.start(site.slowPush(file, partsPerSecond: 2)) { program in
                    try await program.waitForStoredParts(1)
                    try await agent.expectRefusalAtOnce(site.push(file), busy)
                    try await agent.expectRefusalAtOnce(["resume", "--all"], busy)
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(0), "\(program.transcript)")
                }
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test func damagedJournalIsSetAside() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                try damageJournal(of: agent, seed: 1)
                try await agent.start(site.push(file)) { program in
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(0), "\(program.transcript)")
                    let told = program.lines(of: .standardError)
                    #expect(told.count == 1 && told[0].contains("damaged and was set aside"), "\(told)")
                    #expect(try AgentRun(program).summary.bytesResumed ?? 0 >= UInt64(4 * site.partBytes))
                }
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
                // Damage the journal several times within seconds. The agent must keep each damaged file under a name
                // of its own.
                for seed in 2...4 {
                    try damageJournal(of: agent, seed: UInt64(seed))
                    let status = try await agent.runForPeople(["status"])
                    #expect(status.exitStatus == .exited(0), "\(status.transcript)")
                }
                let kept = try FileManager.default.contentsOfDirectory(atPath: agent.home)
                #expect(kept.filter { $0.hasPrefix("journal.sqlite.damaged-") }.count >= 4, "\(kept)")
            }
        }

        private func damageJournal(of agent: AgentHandle, seed: UInt64) throws {
            for name in ["journal.sqlite-wal", "journal.sqlite-shm"] {
                // The agent's process may have removed the file already.
                try? FileManager.default.removeItem(atPath: agent.home + "/" + name)
            }
            try SeededFile(seed: seed, byteCount: 20_000).write(to: URL(filePath: agent.home + "/journal.sqlite"))
        }

        @Test(arguments: [["push", "/dev/null"], ["resume", "--all"], ["abort", "1"], ["status"]])
        func missingHomeIsReported(arguments: [String]) async throws {
            try await Site.with { site in
                let agent = AgentHandle(home: site.path("nowhere"), program: try .built("sluice-agent"))
                try await agent.expectRefusalAtOnce(
                    arguments, Refusal(66, "", "no agent's home", do: "sluice-agent init"))
                #expect(!FileManager.default.fileExists(atPath: agent.home), "nothing was made")
            }
        }
    }
}

/// A small tmpfs in a mount namespace of its own. It disappears with the namespace, so nothing remains after the test.
private struct SmallDisk {
    /// Mount point of the tmpfs inside the namespace.
    let path: String
    private let site: Site
    private let name: String
    private let bytes: Int

    init(_ site: Site, _ name: String, bytes: Int) throws {
        self.site = site
        self.name = name
        self.path = site.path(name)
        self.bytes = bytes
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    private var isRoot: Bool { geteuid() == 0 }

    func mounting(_ program: Executable) throws -> Executable {
        let unshare = isRoot ? "unshare --mount" : "unshare --user --map-root-user --mount"
        let inner = "mount -t tmpfs -o size=\(bytes) tmpfs '\(path)' && exec '\(program.path)' \"$@\""
        let quoted = inner.replacing("'", with: "'\\''")
        return try site.script("mounting \(name)", running: "exec \(unshare) sh -c '\(quoted)' sh")
    }

    /// Runs `body` while a process keeps the namespace alive.
    func withMount(_ body: (Program) async throws -> Void) async throws {
        let holder = try site.script("holder", running: "echo mounted && exec sleep 600 #")
        try await withProgram(try mounting(holder)) { program in
            try await program.waitForLine(of: .standardOutput) { $0 == "mounted" }
            try await body(program)
        }
    }

    func entering(_ holder: Program, _ program: Executable) throws -> Executable {
        let namespaces = "--mount=/proc/\(holder.processID)/ns/mnt"
        let user = isRoot ? "" : "--user=/proc/\(holder.processID)/ns/user --preserve-credentials"
        return try site.script("inside \(name)", running: "exec nsenter \(user) \(namespaces) '\(program.path)'")
    }

    /// Path at which processes outside the namespace see the tmpfs.
    func path(seenFrom program: Program) -> String { "/proc/\(program.processID)/root\(path)" }
}
