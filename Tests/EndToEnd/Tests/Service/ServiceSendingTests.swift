import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests that the service sends the files of its folders, and of a changed file what its folder's rule says.
    @Suite
    struct ServiceSendingTests {
        @Test func allFilesBecomeObjects() async throws {
            try await Site.serving { site, agent in
                let sizes = [0, 1, 70_000, site.partBytes + 17]
                var files: [String: URL] = [:]
                for (number, bytes) in sizes.enumerated() {
                    files["early-\(number)"] = try site.makeFile("in/early-\(number)", bytes: bytes, seed: 1)
                }
                try agent.watch(site.folder("in"))
                try await agent.withService { service in
                    let slow = try site.open("in/slow")
                    try slow.write(contentsOf: SeededFile(seed: 2, byteCount: 100_000).bytes)
                    for number in sizes.indices { try await service.waitUntilProven("early-\(number)") }

                    files["a/b/deep"] = try site.makeFile("in/a/b/deep", bytes: 3_000, seed: 3)
                    _ = try site.makeFile("elsewhere", bytes: 200_000, seed: 4)
                    try site.rename("elsewhere", to: "in/a/renamed")
                    files["a/renamed"] = site.directory.appending(path: "in/a/renamed")
                    try await service.waitUntilProven("a/b/deep", "a/renamed")
                    // A process has this file open for writing, so it is not complete.
                    try await site.expectNoObject("slow")
                    try slow.write(contentsOf: SeededFile(seed: 6, byteCount: 50_000).bytes)
                    try slow.close()
                    files["slow"] = site.directory.appending(path: "in/slow")
                    try await service.waitUntilProven("slow")

                    for (key, file) in files { try await site.expectObject(key, equals: file) }
                    let status = try await service.status()
                    let folder = try #require(status.folder("in"))
                    #expect(folder.pending == 0 && folder.state == "idle", "\(status.text)")
                    #expect(folder.proven == files.count, "\(status.text)")
                    #expect(folder.provenSinceStart == files.count, "\(status.text)")
                    try await service.ask("flush", "--wait")
                    try await service.stop()
                }
                try await site.expectNothingUnfinished()
            }
        }

        /// `flush --wait` returns when what was pending is stored, without further help of the test.
        @Test func flushWaitsUntilAllIsProven() async throws {
            try await Site.serving { site, agent in
                try agent.watch(site.folder("in"))
                try await agent.withService { service in
                    let file = try site.makeFile("in/file", bytes: 3 * site.partBytes)
                    try await service.waitForStatus("a pending file") { $0.folder("in")?.pending == 1 }
                    try await service.ask("flush", "--wait")
                    try await site.expectObject("file", equals: file)
                }
            }
        }

        /// A service that ends, or begins anew with other settings, has not proven what was pending. So `flush --wait`
        /// must not report success.
        @Test func flushFailsIfTheServiceEnds() async throws {
            try await Site.serving { site, agent in
                try agent.watch(site.folder("in"))
                try await agent.withService { service in
                    let open = try site.open("in/file")
                    try open.write(contentsOf: [1])
                    try await service.waitForStatus("a pending file") { $0.folder("in")?.pending == 1 }
                    for isReload in [true, false] {
                        try await withProgram(agent.program, ["flush", "--wait", "--home", agent.home]) { flush in
                            // A flush that the service has not taken yet ends in the same way, or begins after the
                            // reload.
                            while flush.exitStatus == nil, isReload {
                                try await service.ask("reload")
                                // Nothing tells when the service has taken the flush.
                                try await Task.sleep(for: .milliseconds(500))
                            }
                            if !isReload { try await service.stop() }
                            let ended = try await flush.waitForExit(within: Site.deadline)
                            #expect(ended == .exited(75) || ended == .exited(69), "\(flush.transcript)")
                        }
                    }
                    try open.close()
                }
            }
        }

        // MARK: Files that change after their proof

        @Test func changedFileIsKept() async throws {
            try await withChangedFile("on-change: keep") { site, service, former, changed in
                let status = try await service.waitForStatus("a taken key") { $0.trouble("file.bin") != nil }
                let trouble = try #require(status.trouble("file.bin"))
                #expect(trouble.state == "taken", "\(status.text)")
                #expect(trouble.reason?.contains("object") == true, "\(status.text)")
                try await site.expectObject("file.bin", equals: former)
                #expect(try fileDigest(site.directory.appending(path: "in/file.bin")) == fileDigest(changed))
                try await service.ask("flush", "--wait", exits: 1)
            }
        }

        @Test func changedFileReplacesItsObject() async throws {
            try await withChangedFile("on-change: replace") { site, service, _, changed in
                try await service.waitUntilProven("file.bin", after: service.lineOfFirstProof)
                try await site.expectObject("file.bin", equals: changed)
            }
        }

        @Test func changedFileGetsANewKey() async throws {
            try await withChangedFile("on-change: new-key") { site, service, former, changed in
                try await service.waitUntilProven("file.bin", after: service.lineOfFirstProof)
                try await site.expectObject("file.bin", equals: former)
                try await site.expectObject("file~2.bin", equals: changed)
            }
        }

        /// An appended file continues its own object, which every rule allows.
        @Test func appendedFileReplacesItsObject() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("in/log", bytes: 100_000)
                try agent.watch(site.folder("in", "on-change: keep"))
                try await agent.withService { service in
                    try await service.waitUntilProven("log")
                    let first = service.lastLine
                    let handle = try site.open("in/log")
                    try handle.seekToEnd()
                    try handle.write(contentsOf: SeededFile(seed: 9, byteCount: 5_000).bytes)
                    try handle.close()
                    try await service.waitUntilProven("log", after: first)
                    try await site.expectObject("log", equals: file)
                }
            }
        }

        /// Writes other content into a proven file, of the same inode.
        ///
        /// - Parameter body: gets a copy of the file as it was, and a copy of the changed one.
        private func withChangedFile(
            _ rule: String, _ body: (Site, RunningService, URL, URL) async throws -> Void
        ) async throws {
            try await Site.serving { site, agent in
                let former = try site.makeFile("former", bytes: 60_000, seed: 1)
                let changed = try site.makeFile("changed", bytes: 60_000, seed: 2)
                _ = try site.makeFile("in/file.bin", bytes: 60_000, seed: 1)
                try agent.watch(site.folder("in", rule))
                try await agent.withService { service in
                    try await service.waitUntilProven("file.bin")
                    _ = try site.makeFile("in/file.bin", bytes: 60_000, seed: 2)
                    try await body(site, service, former, changed)
                }
            }
        }

        // MARK: Files that cannot be sent

        /// The disk of a folder is mounted only later. Until then the folder has failed, and other folders work.
        @Test func missingFolderIsFoundWhenItAppears() async throws {
            try await Site.serving { site, agent in
                let missing = try site.folder("later")
                try FileManager.default.removeItem(atPath: site.path("later"))
                _ = try site.makeFile("in/file", bytes: 10)
                try agent.watch(missing, site.folder("in"))
                try await agent.withService { service in
                    try await service.waitUntilProven("file")
                    let status = try await service.waitForStatus("a failed folder") {
                        $0.folder("later")?.state == "failed"
                    }
                    #expect(status.folder("later")?.reason?.isEmpty == false, "\(status.text)")
                    _ = try site.makeFile("later/found", bytes: 20)
                    try await service.waitUntilProven("found")
                    #expect(try await service.status().folder("later")?.state == "idle")
                }
            }
        }

        /// A file with a name that cannot be a key is quarantined, and other files are sent.
        @Test func quarantinedFileBlocksNoOther() async throws {
            try await Site.serving { site, agent in
                let bad = try site.makeFile("in/back\\slash", bytes: 10)
                let good = try site.makeFile("in/good", bytes: 1_000)
                try agent.watch(site.folder("in", "after: delete, grace: 1s"))
                let digest = try fileDigest(good)
                try await agent.withService { service in
                    try await service.waitForLog("Quarantined")
                    try await service.waitUntilDeleted("good")
                    #expect(try await site.storage.digest(of: "good") == digest)
                    let status = try await service.status()
                    let trouble = try #require(status.troubles.first, "\(status.text)")
                    #expect(trouble.state == "quarantined", "\(status.text)")
                    #expect(trouble.reason?.contains("backslash") == true, "\(status.text)")
                    try await service.ask("flush", "--wait", exits: 1)
                    // The service lists the file until a person renames it.
                    try site.rename("in/back\\slash", to: "in/renamed")
                    try await service.waitUntilDeleted("renamed")
                    #expect(!FileManager.default.fileExists(atPath: bad.path(percentEncoded: false)))
                    try await service.waitForStatus("no trouble") { $0.troubles.isEmpty }
                }
            }
        }

        /// The gateway refuses the key of this file, because the device's prefix makes it too long. Other files are
        /// sent.
        @Test func refusedFileBlocksNoOther() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port, prefix: "device/")
                    let directory = Array(repeating: String(repeating: "d", count: 203), count: 5).joined(
                        separator: "/")
                    let long = "\(directory)/f"
                    _ = try site.makeFile("in/\(long)", bytes: 10)
                    let good = try site.makeFile("in/good", bytes: 1_000)
                    try agent.watch(site.folder("in", "after: delete, grace: 1h"), settings: ["quarantine-after: 1"])
                    try await agent.withService { service in
                        try await service.waitUntilProven("good")
                        try await site.expectObject("device/good", equals: good)
                        let status = try await service.waitForStatus("a quarantined file") {
                            $0.trouble(long)?.state == "quarantined"
                        }
                        #expect(status.trouble(long)?.reason?.contains("refuses the file") == true, "\(status.text)")
                        #expect(site.exists("in/\(long)"))
                    }
                }
            }
        }
    }
}
