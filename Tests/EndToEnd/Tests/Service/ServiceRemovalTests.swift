import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests that the service deletes or moves what is proven, and nothing else.
    @Suite
    struct ServiceRemovalTests {
        @Test func provenFilesAreDeleted() async throws {
            try await Site.serving { site, agent in
                let names = ["one", "below/two", "three"]
                var digests: [String: String] = [:]
                for (number, name) in names.enumerated() {
                    let file = try site.makeFile("in/\(name)", bytes: 10_000 + number, seed: UInt64(number))
                    digests[name] = "\(try fileDigest(file))"
                }
                try agent.watch(site.folder("in", "after: delete, grace: 1s"))
                try await agent.withService { service in
                    let open = try site.open("in/open")
                    try open.write(contentsOf: SeededFile(seed: 8, byteCount: 30_000).bytes)
                    try await service.waitUntilDeleted("one", "below/two", "three")
                    for (name, digest) in digests {
                        #expect(!site.exists("in/\(name)"))
                        #expect(try await site.storage.digest(of: name).map { "\($0)" } == digest)
                    }
                    // A process has this file open for writing: it is neither sent nor deleted.
                    #expect(site.exists("in/open"))
                    try await site.expectNoObject("open")
                    let status = try await service.status()
                    #expect(status.folder("in")?.removedSinceStart == 3, "\(status.text)")
                    #expect(status.folder("in")?.pending == 1, "\(status.text)")
                    let digest = try fileDigest(site.directory.appending(path: "in/open"))
                    try open.close()
                    try await service.waitUntilDeleted("open")
                    #expect(try await site.storage.digest(of: "open") == digest)
                    #expect(try site.hiddenNames(in: "in").isEmpty)
                }
            }
        }

        @Test func provenFilesAreMoved() async throws {
            try await Site.serving { site, agent in
                let copy = try site.makeFile("copy", bytes: 20_000, seed: 3)
                _ = try site.makeFile("in/below/file", bytes: 20_000, seed: 3)
                let target = site.path("moved")
                try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
                try agent.watch(site.folder("in", "after: move, move-to: \(target), grace: 1s"))
                try await agent.withService { service in
                    try await service.waitForLog("Moved", path: "below/file")
                    #expect(!site.exists("in/below/file"))
                    let moved = site.directory.appending(path: "moved/below/file")
                    #expect(try fileDigest(moved) == fileDigest(copy))
                    try await site.expectObject("below/file", equals: copy)
                }
            }
        }

        /// A file that is written again within its grace is not the file that was proven.
        @Test(arguments: ["replace", "new-key"])
        func changedFileIsDeletedOnlyAfterItsOwnProof(rule: String) async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("in/file", bytes: 50_000, seed: 1)
                let changed = try site.makeFile("changed", bytes: 50_000, seed: 2)
                try agent.watch(site.folder("in", "after: delete, grace: 5s, on-change: \(rule)"))
                try await agent.withService { service in
                    try await service.waitUntilProven("file")
                    _ = try site.makeFile("in/file", bytes: 50_000, seed: 2)
                    try await service.waitUntilDeleted("file")
                    try await site.expectObject(rule == "replace" ? "file" : "file~2", equals: changed)
                }
            }
        }

        /// A file that may not replace its former object is not proven, so it stays.
        @Test func fileWithATakenKeyStays() async throws {
            try await Site.serving { site, agent in
                let former = try site.makeFile("former", bytes: 50_000, seed: 1)
                _ = try site.makeFile("in/file", bytes: 50_000, seed: 1)
                try agent.watch(site.folder("in", "after: delete, grace: 5s, on-change: keep"))
                try await agent.withService { service in
                    try await service.waitUntilProven("file")
                    _ = try site.makeFile("in/file", bytes: 50_000, seed: 2)
                    try await service.waitForStatus("a taken key") { $0.trouble("file")?.state == "taken" }
                    // Another file comes through its whole life meanwhile.
                    _ = try site.makeFile("in/other", bytes: 10)
                    try await service.waitUntilDeleted("other")
                    #expect(site.exists("in/file"))
                    try await site.expectObject("file", equals: former)
                }
            }
        }

        // MARK: A lost journal

        /// The journal of items is damaged while the service is down. The service asks the store for every file again,
        /// and deletes nothing that the store does not have.
        @Test func damagedJournalProvesNothing() async throws {
            try await Site.serving { site, agent in
                let other = try site.makeFile("other", bytes: 10_000, seed: 7)
                let copy = try site.makeFile("copy", bytes: 10_000, seed: 1)
                for name in ["good", "overwritten", "removed"] { _ = try site.makeFile("in/\(name)", bytes: 10_000) }
                try agent.watch(site.folder("in", "after: delete, grace: 1h"))
                try await agent.withService { service in
                    try await service.waitUntilProven("good", "overwritten", "removed")
                    try await service.stop()
                }
                try site.damageItems(of: agent)
                try await site.storage.put(other, key: "overwritten")
                try FileManager.default.removeItem(atPath: site.path("store/removed"))
                try agent.watch(site.folder("in", "after: delete, grace: 1s"))
                try await agent.withService { service in
                    try await service.waitUntilDeleted("good", "removed")
                    for key in ["good", "removed"] { try await site.expectObject(key, equals: copy) }
                    let status = try await service.waitForStatus("a taken key") {
                        $0.trouble("overwritten")?.state == "taken"
                    }
                    #expect(status.folder("in")?.provenSinceStart == 2, "\(status.text)")
                    #expect(site.exists("in/overwritten"))
                    try await site.expectObject("overwritten", equals: other)
                }
                let kept = try FileManager.default.contentsOfDirectory(atPath: agent.home)
                #expect(kept.contains { $0.hasPrefix("items.sqlite.damaged") }, "\(kept)")
            }
        }
    }
}

extension Site {
    /// The hidden names that removals leave below a directory if they do not end.
    func hiddenNames(in directory: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path(directory)).filter { name in
            name.split(separator: "/").last?.hasPrefix(".sluice-") == true
        }
    }

    /// Overwrites the journal of the service, which must not run.
    fileprivate func damageItems(of agent: AgentHandle) throws {
        let path = agent.home + "/items.sqlite"
        for name in [path + "-wal", path + "-shm"] where FileManager.default.fileExists(atPath: name) {
            try FileManager.default.removeItem(atPath: name)
        }
        let journal = try FileHandle(forWritingTo: URL(filePath: path))
        try journal.write(contentsOf: SeededFile(seed: 5, byteCount: 50_000).bytes)
        try journal.close()
    }
}
