import Foundation
import NIOCore
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Interrupts uploads in every way, with real processes and sockets. Afterwards the object equals the file. The
    /// agent never sends a stored part a second time, and repeats only a few bytes of the parts that were not stored
    /// yet.
    @Suite
    struct ResumeTests {
        @Test(arguments: StorageKind.usual, ["push", "resume"])
        func resumesAfterAgentKill(kind: StorageKind, command: String) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeLargeFile()
                let killed = try await site.pushAndKill(agent, file)
                let rest = try await agent.run(command == "push" ? site.push(file) : ["resume", "--all"])
                try await site.expectObject("file", equals: file)
                // The journal of the killed run may lack the last parts that were confirmed. If the agent offers one of
                // these parts again, the gateway answers *have*, and the agent does not send it.
                #expect(killed.storedParts.count >= 4)
                #expect(rest.sentParts.isDisjoint(with: killed.storedParts.subtracting(rest.storedParts)))
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(4 * site.partBytes))
                try site.expectLittleTwice([rest])
                try await site.expectNothingUnfinished()
            }
        }

        /// Another user may have made the link, so the agent does not follow it even if it leads to the right file.
        @Test(arguments: ["tree/folder", "tree/folder/file"])
        func resumeFollowsNoLinkBelowPushedDirectory(replaced: String) async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile("tree/folder/file")
                _ = try await site.pushAndKill(agent, site.directory.appending(path: "tree"))
                let files = FileManager.default
                try files.moveItem(atPath: site.path(replaced), toPath: site.path("moved"))
                try files.createSymbolicLink(atPath: site.path(replaced), withDestinationPath: site.path("moved"))
                let refusal = Refusal(66, "unreadable", "symbolic link has taken its place", do: "name the file itself")
                try await agent.expectRefusal(["resume", "--all"], refusal)
                try await site.expectNoObject("folder/file")
                try files.removeItem(atPath: site.path(replaced))
                try files.moveItem(atPath: site.path("moved"), toPath: site.path(replaced))
                _ = try await agent.run(["resume", "--all"])
                try await site.expectObject("folder/file", equals: file)
            }
        }

        @Test(arguments: StorageKind.usual)
        func resumesAfterGatewayKill(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                let file = try site.makeLargeFile()
                try await withFaultProxy(upstreamPort: 1) { proxy in
                    let run = try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        let agent = try await site.makeAgent(port: proxy.port)
                        return try await agent.start(site.slowPush(file)) { program in
                            try await program.waitForStoredParts(4)
                            gateway.program.kill(SIGKILL)
                            try await gateway.program.waitForExit()
                            return try await site.withGateway { next in
                                try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: next.port))
                                #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                                return AgentRun(program)
                            }
                        }
                    }
                    try await site.expectObject("file", equals: file)
                    try site.expectLittleTwice([run])
                    try await site.expectNothingUnfinished()
                }
            }
        }

        @Test(arguments: StorageKind.usual, [Cut.reset, .close])
        func resumesAfterCutsInsideFrames(kind: StorageKind, cut: Cut) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeLargeFile()
                        let cuts = 4
                        let run = try await agent.start(
                            site.push(file) + ["--limit-rate", kind == .directory ? "6MB/s" : "12MB/s"]
                        ) { program in
                            for count in 1...cuts {
                                // The number of bytes is not round, so that the cut falls within a header, a field or a
                                // payload.
                                try await proxy.cutAll(afterBytes: 2_000_003 + count * 7, towards: .upstream, by: cut)
                                try await withDeadline(Site.deadline, "a cut") {
                                    try await proxy.wait { $0.connectionsCut >= count }
                                }
                            }
                            #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                            return AgentRun(program)
                        }
                        try await site.expectObject("file", equals: file)
                        // The gateway is the same as before and has kept the bytes that it received. Only bytes that
                        // were in flight are sent again.
                        let twice = Int(try run.summary.bytesSent ?? 0) - site.largeFileBytes
                        #expect(twice <= cuts * 3 << 20, "sent twice: \(twice)")
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test(arguments: StorageKind.usual)
        func newRunReplacesDeadConnection(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    try await withFaultProxy(upstreamPort: gateway.port) { proxy in
                        let agent = try await site.makeAgent(port: proxy.port)
                        let file = try site.makeLargeFile()
                        try await agent.start(site.slowPush(file)) { program in
                            try await program.waitForStoredParts(4)
                            // From now on nothing reaches the gateway, not even the end of the agent's connection.
                            try await proxy.change { faults in
                                faults.towardsUpstream.passage = .stalled
                                faults.towardsClient.passage = .stalled
                            }
                            program.kill(SIGKILL)
                            try await program.waitForExit()
                        }
                        #expect(proxy.counts.connectionsOpen > 0)
                        let rest = try await agent.run(
                            site.push(file) + ["--gateway", "127.0.0.1:\(gateway.port)"])
                        try await site.expectObject("file", equals: file)
                        #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(4 * site.partBytes))
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test(arguments: StorageKind.allCases)
        func lostJournalFindsUnfinishedUpload(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                for name in try FileManager.default.contentsOfDirectory(atPath: agent.home)
                where name.hasPrefix("journal") {
                    try FileManager.default.removeItem(atPath: agent.home + "/" + name)
                }
                let rest = try await agent.run(site.push(file))
                try await site.expectObject("file", equals: file)
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(4 * site.partBytes))
                #expect(rest.notes.contains { $0.contains("unfinished upload that the gateway has found") })
                try await site.expectNothingUnfinished()
            }
        }

        @Test(arguments: StorageKind.usual)
        func statusListsAndAbortDropsUploads(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                let status = try await run(agent.program, ["status", "--home", agent.home])
                let size = "MiB of \(site.largeFileBytes >> 20).0 MiB stored"
                #expect(status.transcript.contains(size), "\(status.transcript)")
                let dropped = try await agent.run(["abort", "1"])
                #expect(dropped.outcomes == ["dropped"])
                let after = try await run(agent.program, ["status", "--home", agent.home])
                #expect(after.transcript.contains("No unfinished uploads"))
                try await site.expectNothingUnfinished()
                try await site.expectNoObject("file")
            }
        }

        @Test(arguments: StorageKind.usual)
        func changedFileIsPushedAnewButNotResumed(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                try SeededFile(seed: 99, byteCount: site.largeFileBytes).write(to: file)
                let refused = try await agent.run(["resume", "1"], exits: 65)
                #expect(refused.outcomes == ["wrongFile"])
                _ = try await agent.run(site.push(file))
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test(arguments: StorageKind.usual)
        func touchedFileIsResumed(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)],
                    ofItemAtPath: file.path(percentEncoded: false))
                let rest = try await agent.run(["resume", "1"])
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                try await site.expectObject("file", equals: file)
            }
        }

        @Test(arguments: StorageKind.usual)
        func interruptKeepsUploadAndExits75(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeLargeFile()
                try await agent.start(site.slowPush(file)) { program in
                    try await program.waitForStoredParts(2)
                    program.kill(SIGINT)
                    #expect(try await program.waitForExit(within: .seconds(10)) == .exited(75))
                }
                let rest = try await agent.run(["resume"])
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(2 * site.partBytes))
                try await site.expectObject("file", equals: file)
            }
        }
    }
}
