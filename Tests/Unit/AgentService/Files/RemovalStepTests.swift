import AgentKit
import AgentService
import FolderCore
import Foundation
import Testing
import TransferCommon
import TransferCore

/// Tests of the steps of removals on a real file system.
@Suite(.timeLimit(.minutes(5))) struct RemovalStepTests {
    private static let path = ItemPath("d/file")
    private static let aside = ItemPath("d/file").aside(0xA)

    private static func calls(old: Bool) -> FolderCalls { old ? FolderSample.olderCalls : FolderCalls() }

    private static func found(_ answer: RemovalAnswer) throws -> (FileStamp, ReadLease, SHA256Digest?) {
        guard case .found(let stamp, let lease, let root) = answer else {
            throw UploadFailure(.missing, "unexpected answer: \(answer)")
        }
        return (stamp, lease, root)
    }

    private static func isFailure(_ answer: RemovalAnswer) -> Bool {
        if case .failed = answer { true } else { false }
    }

    @Test(arguments: [false, true]) func fileIsDeletedStepByStep(withOlderCalls isOld: Bool) async throws {
        try await FolderSample.with(calls: Self.calls(old: isOld)) { sample in
            let stamp = try sample.write("d/file")
            let root = try rootDigest(of: "content", partBytes: 3)
            let compared = try Self.found(sample.files.perform(.compare(Self.path, partBytes: 3)))
            #expect(compared.0 == stamp && compared.2 == root)
            #expect(try Self.found(sample.files.perform(.compare(Self.path, partBytes: nil))).2 == nil)
            #expect(sample.files.perform(.setAside(Self.path, Self.aside)) == .done)
            #expect(sample.text("d/file") == nil)
            #expect(sample.text(Self.aside.text) == "content")
            let hashed = try Self.found(sample.files.perform(.hashAside(Self.aside, partBytes: 3)))
            #expect(hashed.0.inode == stamp.inode && hashed.2 == root)
            #expect(sample.files.perform(.unlink(Self.aside, hashed.0)) == .done)
            #expect(sample.files.perform(.unlink(Self.aside, hashed.0)) == .missing)
            #expect(sample.files.perform(.syncDirectory(Self.path)) == .done)
            #expect(sample.scan().entries.isEmpty)
            let both = sample.files.perform(.findBoth(Self.path, Self.aside, inode: stamp.inode))
            #expect(both == .both(own: nil, aside: false))
        }
    }

    @Test(arguments: [false, true]) func noStepReplacesAFile(withOlderCalls isOld: Bool) async throws {
        try await FolderSample.with(calls: Self.calls(old: isOld), moves: true) { sample in
            try sample.write("d/file", "first")
            try sample.write(Self.aside.text, "other")
            #expect(sample.files.perform(.setAside(Self.path, Self.aside)) == .taken)
            try #require(unlink(sample.root + "/" + Self.aside.text) == 0)
            #expect(sample.files.perform(.setAside(Self.path, Self.aside)) == .done)
            try sample.write("d/file", "second")
            #expect(sample.files.perform(.putBack(Self.aside, to: Self.path)) == .taken)
            #expect(sample.text("d/file") == "second")
            #expect(sample.files.perform(.putBack(Self.aside, to: Self.path.numbered(2))) == .done)
            #expect(sample.text("d/file~2") == "first")
            #expect(sample.files.perform(.putBack(Self.aside, to: Self.path)) == .missing)

            #expect(sample.files.perform(.setAside(Self.path, Self.aside)) == .done)
            try #require(mkdir(sample.moved + "/d", 0o700) == 0)
            try Data("moved".utf8).write(to: URL(filePath: sample.moved + "/d/file"))
            let stamp = try sample.stamp(Self.aside.text)
            #expect(sample.files.perform(.moveAway(Self.aside, to: Self.path, stamp)) == .taken)
            #expect(sample.movedText("d/file") == "moved")
            #expect(sample.files.perform(.moveAway(Self.aside, to: Self.path.numbered(2), stamp)) == .done)
            #expect(sample.movedText("d/file~2") == "second")
            #expect(sample.files.perform(.syncDirectory(Self.path)) == .done)
        }
    }

    @Test(arguments: [false, true]) func movedFileKeepsItsDirectories(withOlderCalls isOld: Bool) async throws {
        try await FolderSample.with(calls: Self.calls(old: isOld), moves: true) { sample in
            try sample.write("a/b/file")
            let path = ItemPath("a/b/file")
            #expect(sample.files.perform(.setAside(path, path.aside(1))) == .done)
            let stamp = try Self.found(sample.files.perform(.compareAside(path.aside(1)))).0
            var other = stamp
            other.size += 1
            #expect(sample.files.perform(.moveAway(path.aside(1), to: path, other)) == .changed)
            #expect(sample.files.perform(.moveAway(path.aside(1), to: path, stamp)) == .done)
            #expect(sample.movedText("a/b/file") == "content")
            #expect(sample.files.perform(.syncDirectory(path)) == .done)
            // The next file must not follow a link in the directory for moved files.
            try sample.write("link/file")
            try #require(symlink(sample.directory, sample.moved + "/link") == 0)
            let linked = ItemPath("link/file")
            #expect(sample.files.perform(.setAside(linked, linked.aside(1))) == .done)
            let second = try sample.stamp(linked.aside(1).text)
            #expect(Self.isFailure(sample.files.perform(.moveAway(linked.aside(1), to: linked, second))))
            #expect(sample.files.perform(.putBack(linked.aside(1), to: linked)) == .done)
            #expect(!FileManager.default.fileExists(atPath: sample.directory + "/file"))
        }
    }

    @Test func moveNeedsADirectory() async throws {
        try await FolderSample.with { sample in
            try sample.write(Self.aside.text)
            let stamp = try sample.stamp(Self.aside.text)
            #expect(Self.isFailure(sample.files.perform(.moveAway(Self.aside, to: Self.path, stamp))))
        }
        try await FolderSample.with(moves: true) { sample in
            try sample.write(Self.aside.text)
            try #require(rmdir(sample.moved) == 0)
            let stamp = try sample.stamp(Self.aside.text)
            #expect(Self.isFailure(sample.files.perform(.moveAway(Self.aside, to: Self.path, stamp))))
            #expect(sample.files.perform(.putBack(Self.aside, to: Self.path)) == .done)
            #expect(sample.files.perform(.syncDirectory(Self.path)) == .done)
        }
    }

    /// A file that the settings leave out since a reload was sent before, and may still have a proof.
    @Test func noRemovalBeginsOfAFileThatTheSettingsLeaveOut() async throws {
        let names = FolderNames(filter: FileFilter(excluded: ["d"]))
        try await FolderSample.with(names) { sample in
            let stamp = try sample.write("d/file")
            #expect(sample.files.perform(.compare(Self.path, partBytes: nil)) == .missing)
            #expect(sample.files.perform(.unlink(Self.path, stamp)) == .missing)
            #expect(sample.text("d/file") == "content")
            // A removal that has begun comes to its end.
            try #require(rename(sample.root + "/d/file", sample.root + "/" + Self.aside.text) == 0)
            #expect(sample.files.perform(.putBack(Self.aside, to: Self.path)) == .done)
        }
    }

    @Test func fileThatWasReplacedAfterTheComparisonShowsAside() async throws {
        try await FolderSample.with { sample in
            let first = try sample.write("d/file")
            try sample.write("d/next", "contenu")
            try #require(rename(sample.root + "/d/next", sample.root + "/d/file") == 0)
            #expect(sample.files.perform(.setAside(Self.path, Self.aside)) == .done)
            let aside = try Self.found(sample.files.perform(.hashAside(Self.aside, partBytes: 8)))
            #expect(aside.0.inode != first.inode)
            #expect(try aside.2 == rootDigest(of: "contenu", partBytes: 8))
            #expect(sample.files.perform(.putBack(Self.aside, to: Self.path)) == .done)
        }
    }

    @Test func fileThatChangedAfterTheHashIsNotDeleted() async throws {
        try await FolderSample.with { sample in
            try sample.write(Self.aside.text)
            let writer = open(sample.root + "/" + Self.aside.text, O_RDWR | O_CLOEXEC)
            defer { close(writer) }
            let (stamp, lease, _) = try Self.found(sample.files.perform(.hashAside(Self.aside, partBytes: 8)))
            #expect(lease == .refused)
            try #require(ftruncate(writer, 3) == 0)
            #expect(sample.files.perform(.unlink(Self.aside, stamp)) == .changed)
            // The content can change without the size, through the descriptor that was open before.
            let again = try Self.found(sample.files.perform(.hashAside(Self.aside, partBytes: 8))).0
            try #require(pwrite(writer, "xyz", 3, 0) == 3)
            #expect(sample.files.perform(.unlink(Self.aside, again)) == .changed)
            #expect(sample.text(Self.aside.text) == "xyz")
        }
    }

    /// The stamp does not change when a process opens the file for writing, but the lease breaks.
    @Test(arguments: [false, true]) func fileWithABrokenLeaseIsNotDeleted(byItsStamp isByStamp: Bool) async throws {
        try await FolderSample.with { sample in
            try sample.write(Self.aside.text)
            let step: RemovalStep = isByStamp ? .compareAside(Self.aside) : .hashAside(Self.aside, partBytes: 8)
            let (stamp, lease, _) = try Self.found(await sample.performUntilLeased(step))
            #expect(lease == .granted)
            #expect(open(sample.root + "/" + Self.aside.text, O_WRONLY | O_NONBLOCK | O_CLOEXEC) == -1)
            #expect(errno == EWOULDBLOCK)
            #expect(sample.files.perform(.unlink(Self.aside, stamp)) == .changed)
            // The step has released the lease.
            let writer = open(sample.root + "/" + Self.aside.text, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            #expect(writer >= 0)
            close(writer)
            let second = try Self.found(await sample.performUntilLeased(step)).0
            #expect(sample.files.perform(.unlink(Self.aside, second)) == .done)
        }
    }

    @Test(arguments: [false, true]) func leaseEndsWithTheNextStep(whichIsAnotherHash isHash: Bool) async throws {
        try await FolderSample.with { sample in
            try sample.write(Self.aside.text)
            let step = RemovalStep.hashAside(Self.aside, partBytes: 8)
            _ = try await sample.performUntilLeased(step)
            if isHash { _ = try await sample.performUntilLeased(step) }
            #expect(sample.files.perform(.putBack(Self.aside, to: Self.path)) == .done)
            let writer = open(sample.root + "/d/file", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            #expect(writer >= 0)
            close(writer)
        }
    }

    /// Whatever a step does with the path, it must not reach the file behind the link.
    @Test(arguments: [false, true], ["link", "real/link"]) func linkInThePathLeadsNowhere(
        withOlderCalls isOld: Bool, link: String
    ) async throws {
        try await FolderSample.with(calls: Self.calls(old: isOld), moves: true) { sample in
            let stamp = try sample.write("target/file")
            try sample.write("real/other")
            let path = ItemPath(link + "/file")
            try #require(symlink(sample.root + "/target", sample.root + "/" + link) == 0)
            let steps: [RemovalStep] = [
                .compare(path, partBytes: 8), .setAside(path, path.aside(1)), .compareAside(path),
                .hashAside(path, partBytes: 8), .unlink(path, stamp), .moveAway(path, to: path, stamp),
                .putBack(path, to: path.numbered(2)),
            ]
            for step in steps { #expect(sample.files.perform(step) == .missing, "\(step)") }
            let both = sample.files.perform(.findBoth(path, path, inode: stamp.inode))
            #expect(both == .both(own: nil, aside: false))
            #expect(sample.text("target/file") == "content")
            // The last name may be a link, too.
            try #require(symlink(sample.root + "/target/file", sample.root + "/real/last") == 0)
            let last = ItemPath("real/last")
            #expect(sample.files.perform(.compare(last, partBytes: nil)) == .missing)
            #expect(sample.files.perform(.unlink(last, stamp)) == .missing)
            #expect(sample.files.perform(.findBoth(last, last, inode: stamp.inode)) == .both(own: nil, aside: false))
        }
    }

    @Test func bothNamesAreFound() async throws {
        try await FolderSample.with { sample in
            let stamp = try sample.write("d/file")
            #expect(
                sample.files.perform(.findBoth(Self.path, Self.aside, inode: stamp.inode))
                    == .both(own: stamp, aside: false))
            #expect(sample.files.perform(.setAside(Self.path, Self.aside)) == .done)
            #expect(
                sample.files.perform(.findBoth(Self.path, Self.aside, inode: stamp.inode))
                    == .both(own: nil, aside: true))
        }
    }

    @Test func directoryThatWasRemovedIsDurable() async throws {
        try await FolderSample.with { sample in
            #expect(sample.files.perform(.syncDirectory(ItemPath("gone/file"))) == .done)
            #expect(sample.files.perform(.compare(ItemPath("gone/file"), partBytes: nil)) == .missing)
            try sample.write("d/file")
            #expect(Self.isFailure(sample.files.perform(.compare(Self.path, partBytes: 0))))
        }
    }

    /// One name of the file is removed; the content stays under the other one.
    @Test func fileWithSeveralNamesKeepsTheOthers() async throws {
        try await FolderSample.with { sample in
            try sample.write("d/file")
            try #require(link(sample.root + "/d/file", sample.root + "/other") == 0)
            #expect(sample.files.perform(.setAside(Self.path, Self.aside)) == .done)
            let stamp = try Self.found(sample.files.perform(.compareAside(Self.aside))).0
            #expect(sample.files.perform(.unlink(Self.aside, stamp)) == .done)
            #expect(sample.text("other") == "content")
        }
    }
}
