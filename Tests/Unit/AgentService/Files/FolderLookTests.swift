import AgentKit
import AgentService
import Cryptography
import FolderCore
import Foundation
import Testing
import TransferCommon
import TransferCore

/// Tests of looking at files of a watched folder, and of opening them.
@Suite(.timeLimit(.minutes(5))) struct FolderLookTests {
    private static func look(
        _ sample: FolderSample, _ path: String, _ wants: LookWants = LookWants()
    ) throws -> FileLook {
        guard case .found(let look) = sample.files.look(ItemPath(path), wants) else {
            throw UploadFailure(.missing, "\(sample.files.look(ItemPath(path), wants))")
        }
        return look
    }

    private static func hash(_ text: String) throws -> UInt64 {
        try SHA256Digest.of(Array(text.utf8)).withUnsafeBytes { $0.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
    }

    @Test(arguments: [false, true]) func lookFindsStampHeadAndDigests(withOlderCalls isOld: Bool) async throws {
        try await FolderSample.with(calls: isOld ? FolderSample.olderCalls : FolderCalls()) { sample in
            let stamp = try sample.write("a/b", "0123456789")
            try sample.write("a/b.done", "")
            var wants = LookWants(headBytes: 4, root: 4, prefix: .init(byteCount: 8, partBytes: 3), marker: true)
            wants.formerPath = ItemPath("c")
            let look = try Self.look(sample, "a/b", wants)
            #expect(look.stamp == stamp)
            #expect(try look.head == FileHead(byteCount: 10, hash: Self.hash("0123456789")))
            #expect(try look.headAsRecorded == Self.hash("0123"))
            #expect(try look.root == rootDigest(of: "0123456789", partBytes: 4))
            #expect(try look.prefixRoot == rootDigest(of: "01234567", partBytes: 3))
            #expect(look.hasMarker)
            #expect(!look.isStillAtFormerPath)
        }
    }

    @Test func lookReadsOnlyWhatIsWanted() async throws {
        try await FolderSample.with { sample in
            try sample.write("a", "")
            try sample.write("long", String(repeating: "x", count: 5_000))
            let look = try Self.look(sample, "a", LookWants(headBytes: 1, prefix: .init(byteCount: 1, partBytes: 8)))
            #expect(try look.head == FileHead(byteCount: 0, hash: Self.hash("")))
            #expect(look.headAsRecorded == nil && look.root == nil && look.prefixRoot == nil && !look.hasMarker)
            let empty = try Self.look(sample, "a", LookWants(root: 8, prefix: .init(byteCount: 0, partBytes: 8)))
            #expect(try empty.root == rootDigest(of: "", partBytes: 8))
            #expect(empty.prefixRoot == empty.root)
            #expect(try Self.look(sample, "long").head.byteCount == FileHead.byteCountMax)
        }
    }

    /// Sizes around the boundaries of parts and of the pieces that are read at once.
    @Test(arguments: [0, 1, 3, 4, 5, 8, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 3])
    func rootDigestHasTheBoundariesOfParts(bytes: Int) async throws {
        try await FolderSample.with { sample in
            let text = String(repeating: "0123456", count: bytes / 7 + 1).prefix(bytes)
            try sample.write("a", String(text))
            for partBytes in [4, 700_000, 1 << 20] where bytes < 1_000 || partBytes > 4 {
                let wants = LookWants(root: UInt64(partBytes))
                let expected = try rootDigest(of: String(text), partBytes: partBytes)
                #expect(try Self.look(sample, "a", wants).root == expected)
            }
        }
    }

    @Test(arguments: [false, true]) func whatIsNoFileOfTheFolderIsMissing(withOlderCalls isOld: Bool) async throws {
        let names = FolderNames(filter: FileFilter(excluded: ["*.tmp", "cache"]))
        try await FolderSample.with(names, calls: isOld ? FolderSample.olderCalls : FolderCalls()) { sample in
            try sample.write("real/a")
            try #require(symlink("real", sample.root + "/link") == 0)
            try #require(symlink("real/a", sample.root + "/filelink") == 0)
            try #require(symlink("link", sample.root + "/real/up") == 0)
            try #require(mkfifo(sample.root + "/pipe", 0o600) == 0)
            try sample.write("b.tmp")
            try sample.write("cache/c")
            for path in [
                "gone", "gone/a", "real", "link/a", "filelink", "real/up/a", "real/a/b", "pipe", "b.tmp", "cache/c",
                "../clock",
            ] {
                #expect(sample.files.look(ItemPath(path), LookWants()) == .missing, "\(path)")
            }
            let path = ItemPath(Array("real/a".utf8) + [0, 0x62])
            #expect(sample.files.look(path, LookWants()) == .missing)
            let failure = #expect(throws: UploadFailure.self) {
                _ = try sample.files.open(ItemPath("link/a"), inode: 1)
            }
            #expect(failure?.kind == .missing)
        }
    }

    @Test func lookShowsWhetherTheFormerPathHasTheFile() async throws {
        try await FolderSample.with { sample in
            try sample.write("a")
            try #require(link(sample.root + "/a", sample.root + "/b") == 0)
            #expect(try Self.look(sample, "b", LookWants(formerPath: ItemPath("a"))).isStillAtFormerPath)
            try #require(unlink(sample.root + "/a") == 0)
            #expect(try !Self.look(sample, "b", LookWants(formerPath: ItemPath("a"))).isStillAtFormerPath)
            try sample.write("a")
            #expect(try !Self.look(sample, "b", LookWants(formerPath: ItemPath("a"))).isStillAtFormerPath)
        }
    }

    @Test func fileThatIsOpenForWritingIsNotLeased() async throws {
        try await FolderSample.with { sample in
            try sample.write("a")
            let writer = open(sample.root + "/a", O_RDWR | O_CLOEXEC)
            defer { close(writer) }
            #expect(try Self.look(sample, "a").lease == .refused)
        }
    }

    @Test func fileOfAnotherInodeIsNotSent() async throws {
        try await FolderSample.with { sample in
            let first = try sample.write("a")
            let file = try sample.files.open(ItemPath("a"), inode: first.inode)
            let reading = try sample.files.reading(of: file)
            #expect(reading.stamp == first)
            #expect(reading.fileSystem == .stamping || reading.fileSystem == .local)
            // The clock is younger than two seconds.
            #expect(reading.systemTime == nil)
            try #require(rename(sample.root + "/a", sample.root + "/b") == 0)
            try sample.write("a")
            let failure = #expect(throws: UploadFailure.self) {
                _ = try sample.files.open(ItemPath("a"), inode: first.inode)
            }
            #expect(failure?.kind == .missing)
        }
    }

    @Test func folderOfTheHomeIsRefused() async throws {
        try await FolderSample.with { sample in
            let clock = FileClock(path: sample.directory + "/clock")
            #expect(throws: UploadFailure.self) {
                _ = try FolderFiles(root: sample.root, home: sample.directory, clock: clock)
            }
            try sample.write("moved/a")
            #expect(throws: UploadFailure.self) {
                _ = try FolderFiles(root: sample.root, movedTo: sample.root + "/moved", clock: clock)
            }
        }
    }
}
