import Foundation
import Glibc
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of the commands that steer a running service.
    @Suite
    struct ServiceControlTests {
        // MARK: Steering

        @Test func pausedFolderSendsNothing() async throws {
            try await Site.serving { site, agent in
                try agent.watch(site.folder("one"), site.folder("two"))
                try await agent.withService { service in
                    try await service.ask("pause", "one")
                    try await service.ask("pause", "three", exits: 1)
                    let file = try site.makeFile("one/held", bytes: 100)
                    _ = try site.makeFile("two/sent", bytes: 100, seed: 2)
                    try await service.waitUntilProven("sent")
                    let status = try await service.waitForStatus("a pending file") { $0.folder("one")?.pending == 1 }
                    #expect(status.folder("one")?.state == "paused", "\(status.text)")
                    #expect(status.folder("one")?.reason?.contains("paused") == true, "\(status.text)")
                    try await service.stop()
                    try await site.expectNoObject("held")
                    _ = file
                }
                // A pause survives a restart.
                try await agent.withService { service in
                    _ = try site.makeFile("two/later", bytes: 100, seed: 3)
                    try await service.waitUntilProven("later")
                    try await site.expectNoObject("held")
                    #expect(try await service.status().folder("one")?.state == "paused")
                    try await service.ask("unpause")
                    try await service.waitUntilProven("held")
                    #expect(try await service.status().folder("one")?.state == "idle")
                }
            }
        }

        /// Without notices of the system, a folder with this setting would be scanned again tomorrow.
        @Test func rescanFindsFiles() async throws {
            try await Site.serving { site, agent in
                let quick = "ready: {when: idle, for: 1s}, rescan: 1d"
                _ = try site.makeFile("in/early", bytes: 10, seed: 1)
                try agent.watch(site.folder("in", quick: quick))
                try await agent.withService { service in
                    try await service.waitUntilProven("early")
                    _ = try site.makeFile("in/late", bytes: 10, seed: 2)
                    try await service.ask("rescan", "in")
                    try await service.waitUntilProven("late")
                    let answer = try await service.ask("rescan", "out", exits: 1)
                    #expect(answer.contains("no folder out") && answer.contains("in"), "\(answer)")
                }
            }
        }

        /// The object that stood in the way is gone, and a person asks for another attempt.
        @Test func retrySendsAFileWithATakenKey() async throws {
            try await Site.serving { site, agent in
                try await site.storage.put(site.makeFile("foreign", bytes: 50, seed: 9), key: "file")
                let file = try site.makeFile("in/file", bytes: 1_000)
                try agent.watch(site.folder("in"))
                try await agent.withService { service in
                    let status = try await service.waitForStatus("a taken key") { $0.trouble("file") != nil }
                    let id = try #require(status.trouble("file")?.id)
                    #expect(try await service.ask("status").contains(id))
                    let refused = try await service.ask("retry", id + "7", exits: 1)
                    #expect(refused.contains("no file has the id"), "\(refused)")
                    try FileManager.default.removeItem(atPath: site.path("store/file"))
                    try await service.ask("retry", id)
                    try await service.waitUntilProven("file")
                    try await site.expectObject("file", equals: file)
                }
            }
        }

        // MARK: One process in a home

        @Test func otherProcessesAreRefused() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 10)
                try agent.watch(site.folder("in"))
                try await agent.withService { service in
                    for arguments in [site.push(file), ["resume", "--all"], ["run"]] {
                        let refused = try await agent.runForPeople(arguments)
                        #expect(refused.exitStatus == .exited(75), "\(refused.transcript)")
                        #expect(refused.transcript.contains("the service sluice-agent run is at work"))
                    }
                    #expect(try await service.status().folders.count == 1)
                }
            }
        }

        @Test func commandsSayThatNoServiceRuns() async throws {
            try await Site.serving { site, agent in
                try agent.watch(site.folder("in"))
                // A killed service leaves its socket behind.
                try await agent.withService { service in
                    service.program.kill(SIGKILL)
                    try await service.program.waitForExit()
                }
                for arguments in [
                    ["pause"], ["unpause"], ["rescan", "in"], ["retry", "--all"], ["flush", "--wait"], ["reload"],
                ] {
                    let told = try await agent.runForPeople(arguments)
                    #expect(told.exitStatus == .exited(69), "\(told.transcript)")
                    #expect(told.transcript.contains("no service runs in this home; start one with sluice-agent run"))
                    #expect(told.lines.count == 1, "\(told.transcript)")
                }
                let status = try await agent.runForPeople(["status"])
                #expect(status.exitStatus == .exited(0), "\(status.transcript)")
            }
        }

        @Test func serviceWithoutFoldersSaysSo() async throws {
            try await Site.serving { _, agent in
                let program = try await agent.runForPeople(["run"])
                #expect(program.exitStatus == .exited(64), "\(program.transcript)")
                #expect(program.transcript.contains("The settings name no folder to watch"), "\(program.transcript)")
            }
        }

        // MARK: systemd

        @Test func systemdIsNotified() async throws {
            try await Site.serving { site, agent in
                try agent.watch(site.folder("in"))
                let inbox = try NotificationInbox(path: site.path("notify"))
                try await agent.withService(environment: ["NOTIFY_SOCKET": site.path("notify")]) { service in
                    try await inbox.wait(for: "READY=1")
                    try await inbox.wait(for: "STATUS=")
                    try await service.ask("reload")
                    let reloading = try await inbox.wait(for: "RELOADING=1")
                    #expect(reloading.contains("\nMONOTONIC_USEC="), "\(reloading)")
                    try await inbox.wait(for: "READY=1")
                    try await service.stop()
                    try await inbox.wait(for: "STOPPING=1")
                }
            }
        }
    }
}

/// A socket that takes the datagrams of `sd_notify(3)`, as systemd's does.
private final class NotificationInbox: Sendable {
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { place in
            guard bytes.count < place.count else { return false }
            place.copyBytes(from: bytes)
            return true
        }
        try #require(fits, "the path of the socket is too long: \(path)")
        let bound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0, "bind: \(errno)")
    }

    deinit {
        _ = close(descriptor)
    }

    /// Takes datagrams until one begins with this text, and returns it.
    @discardableResult
    func wait(for beginning: String) async throws -> String {
        try await withDeadline(Site.deadline, "the notification \(beginning)") { [self] in
            while true {
                var buffer = [UInt8](repeating: 0, count: 4_096)
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count > 0 {
                    let text = String(decoding: buffer.prefix(count), as: UTF8.self)
                    if text.hasPrefix(beginning) { return text }
                } else {
                    // The socket cannot be awaited together with the deadline, so poll it.
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        }
    }
}
