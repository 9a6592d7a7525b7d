import Foundation
import Glibc
import NIOCore
import S3Servers
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests {
    /// Tests of a gateway as its operator sees it: authorisation, limits, shutdown, and what unfinished uploads leave
    /// behind.
    @Suite
    struct GatewayTests {
        @Test func anUnknownDeviceIsNotServed() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port, gateways: [])
                    let file = try site.makeFile("file", bytes: 10)
                    let run = try await agent.run(["push", file.path(percentEncoded: false)], exits: 77)
                    #expect(run.outcomes == ["notAuthorised"])
                }
            }
        }

        /// Files of root in the store of a service would lock the service out. So an administrator's command works as
        /// the owner of the store.
        @Test(.enabled(if: geteuid() == 0)) func commandOfRootLeavesNoFilesOfRoot() async throws {
            try await Site.with { site in
                try await site.shell("chmod 755 .; mkdir -p store; chown 4711:4712 store; chmod 700 store")
                for command in [["uploads", "list"], ["verify", "missing"]] {
                    let program = try await run(
                        .built("sluice-gateway"),
                        command + ["--home", site.path("gateway")] + site.storage.options,
                        workingDirectory: site.directory, within: Site.deadline)
                    #expect([.exited(0), .exited(66)].contains(program.exitStatus), "\(program.transcript)")
                }
                let store = site.path("store")
                let paths = FileManager.default.enumerator(atPath: store)?.allObjects.compactMap { $0 as? String } ?? []
                #expect(paths.contains(".sluice"))
                for path in paths {
                    let attributes = try FileManager.default.attributesOfItem(atPath: "\(store)/\(path)")
                    #expect(attributes[.ownerAccountID] as? Int == 4_711, "\(path)")
                }
            }
        }

        /// The owner of a home may put links into it. A command of root must not follow them to places that are closed
        /// to the owner.
        @Test(.enabled(if: geteuid() == 0)) func commandOfRootFollowsNoLinkOutOfAHome() async throws {
            try await Site.with { site in
                try await site.shell(
                    "chmod 755 .; mkdir -m 700 closed; rm -f gateway/invitations*; chown -R 4711:4712 gateway")
                try await site.shell("ln -s ../closed/invitations gateway/invitations")
                let home = ["--home", site.path("gateway")]
                let invite = ["device", "invite", "cam1", "--gateway", "gate.example:7420"] + home
                try await site.gateway(invite, exits: 66)
                #expect(try FileManager.default.contentsOfDirectory(atPath: site.path("closed")) == [])
                // A list that an editor of root has replaced stays usable.
                try await site.shell("rm gateway/invitations; chown 0:0 gateway/devices; chmod 644 gateway/devices")
                try await site.gateway(invite)
                try await site.gateway(["device", "add", "cam2", "--certificate"] + home)
                try await site.gateway(["keys", "rotate"] + home)
                for file in try FileManager.default.contentsOfDirectory(atPath: site.path("gateway")) {
                    let attributes = try FileManager.default.attributesOfItem(atPath: site.path("gateway/\(file)"))
                    #expect(attributes[.ownerAccountID] as? Int == 4_711, "\(file)")
                }
            }
        }

        /// The same holds for the home of an agent, in which `status` and `doctor` look for a process at work.
        @Test(.enabled(if: geteuid() == 0), arguments: ["status", "doctor"])
        func commandOfRootLeavesNoFilesOfRootInAHome(command: String) async throws {
            try await Site.with { site in
                let agent = try await site.makeAgent(port: 1)
                try await site.shell("chmod 755 .; chown -R 4711:4712 agent; rm -f agent/lock")
                _ = try await run(agent.program, [command, "--home", agent.home], within: Site.deadline)
                let paths = FileManager.default.enumerator(atPath: agent.home)?.allObjects.compactMap { $0 as? String }
                #expect(paths?.contains("lock") == true)
                for path in paths ?? [] {
                    let attributes = try FileManager.default.attributesOfItem(atPath: "\(agent.home)/\(path)")
                    #expect(attributes[.ownerAccountID] as? Int == 4_711, "\(path)")
                }
            }
        }

        /// An operator sees in the log when a gateway has begun to serve, with what, and why it has ended.
        @Test func beginAndEndAreLogged() async throws {
            try await Site.with { site in
                try await site.withGateway(["--budget", "32MiB"]) { gateway in
                    let store = try #require(site.storage.options.last)
                    try await gateway.waitForLog(
                        of: "Serving", "listen=127.0.0.1:\(gateway.port)", "store=\(store)", "version=sluice-gateway",
                        "budget.bytes=\(32 << 20)")
                    gateway.program.kill(SIGTERM)
                    #expect(try await gateway.program.waitForExit(within: Site.deadline) == .exited(0))
                    try await gateway.waitForLog(of: "Stopped by SIGTERM or SIGINT", "sessions.unfinished=0")
                }
            }
        }

        @Test func runningGatewayFollowsDeviceList() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent("cam1", port: gateway.port, prefix: "cam1/")
                    let listed = try await site.gateway(["device", "list", "--home", site.path("gateway")])
                    #expect(listed.contains { $0.hasPrefix("cam1  sha256:") && $0.hasSuffix("prefix=cam1/") })
                    let file = try site.makeFile("file", bytes: 10)
                    _ = try await agent.run(["push", file.path(percentEncoded: false)])
                    try await site.expectObject("cam1/file", equals: file)
                }
            }
        }

        @Test func runningGatewayKeepsListThatOthersMayNotChange() async throws {
            try await Site.serving { site, agent in
                // The gateway reads the list when a device connects. This push makes it read the list that still names
                // the device.
                let first = try site.makeFile("first", bytes: 10)
                _ = try await agent.run(["push", first.path(percentEncoded: false)])
                try await site.shell("chmod 664 gateway/devices; sed -i 's/^/#/' gateway/devices")
                let file = try site.makeFile("file", bytes: 10)
                _ = try await agent.run(["push", file.path(percentEncoded: false)])
                try await site.expectObject("file", equals: file)
                // With correct permissions the gateway reads the list again, and the list no longer names the device.
                try await site.shell("chmod 644 gateway/devices")
                let other = try site.makeFile("other", bytes: 10)
                let run = try await agent.run(["push", other.path(percentEncoded: false)], exits: 77)
                #expect(run.outcomes == ["notAuthorised"])
            }
        }

        @Test func deviceLimitsHold() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let limits = ["--connections", "1", "--sessions", "2", "--budget", "8MiB"]
                    let agent = try await site.makeAgent("cam1", port: gateway.port, prefix: "cam1/", limits: limits)
                    let listed = try await site.gateway(["device", "list", "--home", site.path("gateway")])
                    #expect(listed.contains { $0.hasSuffix("prefix=cam1/  connections=1  sessions=2  budget=8MiB") })
                    let files = try (0..<6).map { try site.makeFile("f\($0)", bytes: 9 << 20, seed: UInt64($0)) }
                    _ = try await agent.run(
                        ["push"] + files.map { $0.path(percentEncoded: false) } + ["--connections", "3"])
                    for file in files { try await site.expectObject("cam1/\(file.lastPathComponent)", equals: file) }
                }
                let refused = try await site.gateway(
                    ["device", "add", "x", "--certificate", "--budget", "1MiB", "--home", site.path("gateway")],
                    exits: 64)
                #expect(refused.isEmpty)
            }
        }

        @Test func deviceBeyondItsLimitsIsRefused() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let limits = ["--connections", "1", "--sessions", "1", "--budget", "8MiB"]
                    let limited = try await Villain(0, at: gateway.port, of: site, limits: limits)
                    let other = try await Villain(1, at: gateway.port, of: site)
                    let (first, free) = (try await limited.enter(), try await other.enter())
                    #expect(try await limited.enter().end() == .tooManyConnections)
                    #expect(try await other.enter().heard.current.codes == [])
                    for (client, isRefused) in [(first, true), (free, false)] {
                        try await client.open(SessionID(high: 1, low: isRefused ? 1 : 2), size: 20 << 20, slot: 1)
                        let next = SessionID(high: 2, low: isRefused ? 1 : 2)
                        try client.say(HostileClient.opening(next, size: 20 << 20, key: "g"), slot: Slot(2))
                        let isOpened = try await client.answer("an answer to SESSION OPEN") { frame -> Bool? in
                            switch frame {
                            case .sessionRefused(let refused): refused.code == .busy ? false : nil
                            case .sessionOpened(let opened): opened.session == next ? true : nil
                            default: nil
                            }
                        }
                        #expect(isOpened != isRefused)
                    }
                }
            }
        }

        @Test func terminationLetsPartsFinishAndExits0() async throws {
            try await Site.with { site in
                let file = try site.makeFile("file", bytes: 12 << 20)
                try await withFaultProxy(upstreamPort: 1) { proxy in
                    try await site.withGateway { gateway in
                        try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                        let agent = try await site.makeAgent(port: proxy.port)
                        let arguments = [
                            "push", file.path(percentEncoded: false), "--part-size", "1MiB", "--limit-rate", "3MB/s",
                        ]
                        try await agent.start(arguments) { program in
                            try await program.waitForStoredParts(2)
                            gateway.program.kill(SIGTERM)
                            #expect(try await gateway.program.waitForExit(within: .seconds(30)) == .exited(0))
                            try await site.withGateway { next in
                                try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: next.port))
                                #expect(try await program.waitForExit(within: Site.deadline) == .exited(0))
                            }
                            // The stopped gateway completed the parts that it was receiving: none was sent twice.
                            #expect(try AgentRun(program).summary.bytesSent == 12 << 20)
                        }
                        try await site.expectObject("file", equals: file)
                    }
                }
            }
        }

        @Test func unfinishedUploadsAreListedAndCleaned() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                let listed = try await site.administer(["uploads", "list"])
                #expect(listed.contains { $0.contains("agent  file") }, "\(listed)")
                let kept = try await site.administer(["uploads", "clean", "--older-than", "1h"])
                #expect(kept.contains("0 removed (0 B), 1 kept."), "\(kept)")
                // With a minimum age below an hour, the command could remove uploads that agents are sending. It
                // therefore refuses such an age without `--force`.
                for short in ["0s", "59min", "3599999ms"] {
                    try await site.administer(["uploads", "clean", "--older-than", short], exits: 64)
                }
                let cleaned = try await site.administer(["uploads", "clean", "--older-than", "0s", "--force"])
                #expect(cleaned.last?.hasPrefix("1 removed (") == true, "\(cleaned)")
                try await site.expectNothingUnfinished()
                let rest = try await agent.run(site.push(file))
                #expect(rest.notes.contains { $0.contains("sending it anew") })
                try await site.expectObject("file", equals: file)
            }
        }

        @Test func uploadsCommandsEndWithTheCodeOfAFailure() async throws {
            try await Site.serving { site, agent in
                _ = try await site.pushAndKill(agent, try site.makeLargeFile())
                try await site.storage.put(try site.makeFile("damaged", bytes: 10), key: ".sluice/sessions/zzz")
                let listed = try await site.administer(["uploads", "list"], exits: 1)
                #expect(listed.contains { $0.contains("agent  file") }, "\(listed)")
                #expect(listed.last?.hasSuffix(", 1 failed.") == true, "\(listed)")
                let cleaned = try await site.administer(
                    ["uploads", "clean", "--older-than", "0s", "--force"], exits: 1)
                #expect(cleaned.last?.hasPrefix("1 removed (") == true, "\(cleaned)")
                #expect(cleaned.last?.hasSuffix(", 0 kept, 1 failed.") == true, "\(cleaned)")
            }
        }

        /// A misspelt path must not look like a site without uploads.
        @Test(arguments: [["uploads", "list"], ["uploads", "clean"], ["verify", "file"]])
        func missingHomeIsNamed(command: [String]) async throws {
            try await Site.with { site in
                let arguments = command + ["--home", site.path("missing")] + site.storage.options
                let program = try await run(try .built("sluice-gateway"), arguments, within: Site.deadline)
                #expect(program.exitStatus == .exited(66), "\(program.transcript)")
                let told = program.lines(of: .standardError)
                #expect(told.contains { $0.contains("there is no gateway's home in") }, "\(told)")
            }
        }

        /// A full disk is no damaged home.
        @Test(.enabled(if: geteuid() == 0)) func initOnAFullDiskSaysSo() async throws {
            try await Site.with { site in
                let mount = Site.quoted(site.path("tiny"))
                let gateway = Site.quoted(try Executable.built("sluice-gateway").path)
                let script =
                    "mkdir \(mount) && mount -t tmpfs -o size=16k tmpfs \(mount) || exit 99; "
                    + "\(gateway) init \(mount)/home; code=$?; mount -o remount,size=1m \(mount); "
                    + "[ $code = 74 ] && { \(gateway) init \(mount)/home || code=98; }; "
                    + "umount \(mount); exit $code"
                let program = try await run(Site.shell, ["-c", script], within: Site.deadline)
                // A sandbox may not let root mount anything.
                guard program.exitStatus != .exited(99) else { return }
                #expect(program.exitStatus == .exited(74), "\(program.transcript)")
                #expect(program.lines(of: .standardError).contains { $0.contains("make room on the disk") })
            }
        }

        @Test func secondProcessInHomeIsRefused() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 8 << 20)
                let arguments = ["push", file.path(percentEncoded: false), "--limit-rate", "2MB/s"]
                try await agent.start(arguments) { program in
                    try await program.waitForLine(of: .standardOutput) { $0.contains("\"part\"") }
                    let second = try await agent.run(["push", file.path(percentEncoded: false)], exits: 75)
                    #expect(second.events.isEmpty)
                }
            }
        }

        @Test func memoryStaysBelow128MiB() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: 256 << 20)
                    _ = try await agent.run(["push", file.path(percentEncoded: false)])
                    #expect(gateway.program.peakMemoryBytes < 128 << 20)
                }
            }
        }
    }
}
