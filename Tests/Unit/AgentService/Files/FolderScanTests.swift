import AgentKit
import AgentService
import FolderCore
import Foundation
import Testing
import TransferCommon

/// Tests of walking a watched folder.
@Suite(.timeLimit(.minutes(5))) struct FolderScanTests {
    @Test(arguments: [false, true]) func scanFindsRegularFiles(withOlderCalls isOld: Bool) async throws {
        try await FolderSample.with(calls: isOld ? FolderSample.olderCalls : FolderCalls()) { sample in
            #expect(sample.scan().entries.isEmpty)
            let stamp = try sample.write("a")
            try sample.write("b/c/d")
            try sample.write("b/.hidden")
            let (entries, failure) = sample.scan()
            #expect(failure == nil)
            #expect(sample.paths() == ["a", "b/.hidden", "b/c/d"])
            #expect(entries[ItemPath("a")] == ScanEntry(ItemPath("a"), stamp))
        }
    }

    @Test(arguments: [false, true]) func linksAndSpecialFilesAreLeftOut(withOlderCalls isOld: Bool) async throws {
        try await FolderSample.with(calls: isOld ? FolderSample.olderCalls : FolderCalls()) { sample in
            try sample.write("file")
            try sample.write("real/inner")
            try #require(mkdir(sample.directory + "/outside", 0o700) == 0)
            try Data().write(to: URL(filePath: sample.directory + "/outside/secret"))
            try #require(symlink(sample.directory + "/outside", sample.root + "/link") == 0)
            try #require(symlink("file", sample.root + "/filelink") == 0)
            try #require(symlink("gone", sample.root + "/dangling") == 0)
            try #require(symlink("real", sample.root + "/within") == 0)
            try #require(mkfifo(sample.root + "/pipe", 0o600) == 0)
            #expect(sample.paths() == ["file", "real/inner"])
            #expect(sample.scan().failure == nil)
        }
    }

    @Test func namesOfRemovalsMarkersAndTheHomeAreLeftOut() async throws {
        let names = FolderNames(filter: FileFilter(excluded: ["*.tmp", "cache"]), needsMarkers: true)
        try await FolderSample.with(names) { sample in
            for path in [
                "a", "a.done", "b", ".sluice-0123456789abcdef", ".sluice-0123456789abcdeg", "c.tmp", "cache/d",
                "home/e",
            ] {
                try sample.write(path)
            }
            let again = try FolderFiles(
                root: sample.root, names: names, home: sample.root + "/home",
                clock: FileClock(path: sample.directory + "/clock"))
            var entries: [ScanEntry] = []
            #expect(
                again.scan {
                    entries += $0
                    return true
                } == nil)
            #expect(entries.map(\.path.text).sorted() == [".sluice-0123456789abcdeg", "a", "b"])
            #expect(entries.filter(\.hasMarker).map(\.path.text) == ["a"])
        }
    }

    @Test func hardLinksAreReportedUnderEachName() async throws {
        try await FolderSample.with { sample in
            try sample.write("a")
            try #require(link(sample.root + "/a", sample.root + "/b") == 0)
            let entries = sample.scan().entries
            #expect(entries.count == 2)
            #expect(Set(entries.values.map(\.stamp.inode)).count == 1)
        }
    }

    @Test(arguments: [false, true]) func namesNeedNotBeUTF8(withOlderCalls isOld: Bool) async throws {
        try await FolderSample.with(calls: isOld ? FolderSample.olderCalls : FolderCalls()) { sample in
            let name: [UInt8] = [0x61, 0xFF, 0x0A, 0x20]
            let below = Array("/".utf8) + [0xC3]
            let root = Array(sample.root.utf8)
            let slash = [UInt8(ascii: "/")]
            let result = withPath(root + slash + name) { mkdir($0, 0o700) }
            try #require(result == 0)
            let descriptor = withPath(root + slash + name + below) { creat($0, 0o600) }
            try #require(descriptor >= 0)
            close(descriptor)
            let path = ItemPath(name + below)
            // Foundation removes only names that are UTF-8.
            defer {
                _ = withPath(root + slash + name + below) { unlink($0) }
                _ = withPath(root + slash + name) { rmdir($0) }
            }
            #expect(sample.scan().failure == nil)
            #expect(Array(sample.scan().entries.keys) == [path])
            let stamp = try #require(sample.scan().entries[path]?.stamp)
            guard case .found(let look) = sample.files.look(path, LookWants()) else {
                Issue.record("the file was not found")
                return
            }
            #expect(look.stamp == stamp)
            #expect(sample.files.perform(.setAside(path, path.aside(7))) == .done)
            #expect(sample.files.perform(.putBack(path.aside(7), to: path)) == .done)
            #expect(Array(sample.scan().entries.keys) == [path])
        }
    }

    @Test func entriesComeInBatchesUntilTheCallerStops() async throws {
        try await FolderSample.with { sample in
            for number in 0..<1_050 { try sample.write("d/\(number)", "") }
            var batches: [Int] = []
            #expect(
                sample.files.scan { batch in
                    batches.append(batch.count)
                    return true
                } == nil)
            #expect(batches == [1_000, 50])
            var calls = 0
            #expect(
                sample.files.scan { _ in
                    calls += 1
                    return false
                } != nil)
            #expect(calls == 1)
        }
    }

    /// Otherwise the service would take all files for deleted.
    @Test func missingFolderFailsTheScan() async throws {
        try await FolderSample.with { sample in
            try sample.write("a")
            try #require(rename(sample.root, sample.root + "-away") == 0)
            let (entries, failure) = sample.scan()
            #expect(entries.isEmpty)
            #expect(failure?.contains("the folder cannot be opened") == true)
            #expect(sample.files.freeBytes() == nil)
            guard case .failed = sample.files.perform(.findBoth(ItemPath("a"), ItemPath("a").aside(1), inode: 1)) else {
                Issue.record("the file counts as deleted although its folder is missing")
                return
            }
            try #require(rename(sample.root + "-away", sample.root) == 0)
            #expect(sample.paths() == ["a"])
            #expect(try #require(sample.files.freeBytes()) > 0)
        }
    }

    /// An unmounted disk leaves an empty directory of another file system. The test puts a link to one in the place of
    /// the folder.
    @Test func emptyFolderOnAnotherFileSystemFailsTheScan() async throws {
        try await FolderSample.with { sample in
            let other = "/dev/shm/sluice-\(UUID().uuidString)"
            try #require(mkdir(other, 0o700) == 0)
            defer { rmdir(other) }
            var (here, there) = (stat(), stat())
            try #require(stat(sample.root, &here) == 0 && stat(other, &there) == 0)
            guard here.st_dev != there.st_dev else { return }
            let stamp = try sample.write("a")
            #expect(sample.paths() == ["a"])
            try #require(rename(sample.root, sample.root + "-away") == 0)
            try #require(symlink(other, sample.root) == 0)
            #expect(sample.scan().failure?.contains("mount its disk") == true)
            let (path, aside) = (ItemPath("a"), ItemPath("a").aside(1))
            let steps: [RemovalStep] = [
                .compare(path, partBytes: 8), .setAside(path, aside), .hashAside(aside, partBytes: 8),
                .unlink(aside, stamp), .syncDirectory(path), .putBack(aside, to: path),
                .findBoth(path, aside, inode: stamp.inode),
            ]
            for step in steps {
                guard case .failed = sample.files.perform(step) else {
                    Issue.record("\(step) takes the file for deleted although its disk is not mounted")
                    continue
                }
            }
            // A folder that was moved to another disk has files there.
            try #require(unlink(sample.root) == 0 && rename(sample.root + "-away", sample.root) == 0)
            #expect(sample.scan().failure == nil)
        }
    }

    @Test func directoryThatCannotBeReadFailsTheScanByName() async throws {
        // Root may read every directory, so the test uses a path that is too long for a system call.
        try await FolderSample.with { sample in
            try sample.write("z")
            let name = String(repeating: "x", count: 250)
            var directory = open(sample.root, O_RDONLY | O_DIRECTORY)
            for _ in 0..<17 where directory >= 0 {
                _ = mkdirat(directory, name, 0o700)
                let next = openat(directory, name, O_RDONLY | O_DIRECTORY)
                close(directory)
                directory = next
            }
            try #require(directory >= 0)
            close(directory)
            let (entries, failure) = sample.scan()
            #expect(entries.keys.map(\.text) == ["z"])
            #expect(failure?.contains("\(name) cannot be read: ") == true)
            // Foundation removes only paths that a system call takes.
            let half = Array(repeating: name, count: 9).joined(separator: "/")
            try #require(rename(sample.root + "/" + half, sample.root + "/half") == 0)
        }
    }
}
