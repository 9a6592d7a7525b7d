import AgentKit
import AgentService
import FolderCore
import Foundation
import TestSupport
import Testing
import TransferCommon

/// Tests of the reports about changes of a watched folder.
@Suite(.timeLimit(.minutes(5))) struct FolderWatcherTests {
    private typealias Events = Watched<[FolderEvent]>

    private static let id = FolderID(3)

    private static func noticed(_ path: String, _ notice: Notice) -> FolderEvent {
        .noticed(id, ItemPath(path), notice)
    }

    /// Watches the folder of a sample, and waits until the watches are there.
    private func withWatcher(
        _ names: FolderNames = FolderNames(), prepare: (FolderSample) throws -> Void = { _ in },
        _ body: (FolderSample, Events) async throws -> Void
    ) async throws {
        try await FolderSample.with(names) { sample in
            try prepare(sample)
            let events = Events([])
            let watcher = FolderWatcher(folders: [(Self.id, sample.files)]) { event in
                events.update { $0.append(event) }
            }
            defer { watcher.stop() }
            try await wait(events, for: .watching(Self.id, true))
            try await body(sample, events)
        }
    }

    private func wait(_ events: Events, for event: FolderEvent) async throws {
        try await withDeadline(.seconds(60), "\(event)", detail: { "\(events.current.suffix(20))" }) {
            _ = try await events.wait { $0.contains(event) ? true : nil }
        }
    }

    /// Writes a file outside of the folder and moves it there.
    private func moveIn(_ path: String, _ sample: FolderSample) throws {
        try Data("x".utf8).write(to: URL(filePath: sample.moved + "/x"))
        try #require(rename(sample.moved + "/x", sample.root + "/" + path) == 0)
    }

    @Test func changesOfFilesAreReported() async throws {
        try await withWatcher(prepare: { try $0.write("old/file") }) { sample, events in
            let writer = creat(sample.root + "/a", 0o600)
            try await wait(events, for: Self.noticed("a", .changed))
            #expect(!events.current.contains(Self.noticed("a", .closedAfterWriting)))
            close(writer)
            try await wait(events, for: Self.noticed("a", .closedAfterWriting))
            try moveIn("b", sample)
            try await wait(events, for: Self.noticed("b", .movedHere))
            try #require(unlink(sample.root + "/b") == 0)
            try await wait(events, for: Self.noticed("b", .changed))
            try moveIn("old/c", sample)
            try await wait(events, for: Self.noticed("old/c", .movedHere))
            try #require(rename(sample.root + "/old/file", sample.moved + "/file") == 0)
            try await wait(events, for: Self.noticed("old/file", .changed))
        }
    }

    @Test func newDirectoriesAreWatched() async throws {
        try await withWatcher { sample, events in
            // The watcher may see these directories only when the file is there already.
            try sample.write("a/b/c/file")
            try await withDeadline(.seconds(60), "the file", detail: { "\(events.current)" }) {
                _ = try await events.wait { events in
                    events.contains(Self.noticed("a/b/c/file", .changed))
                        || events.contains(Self.noticed("a/b/c/file", .closedAfterWriting)) ? true : nil
                }
            }
            try moveIn("a/b/c/second", sample)
            try await wait(events, for: Self.noticed("a/b/c/second", .movedHere))
            // A directory that was renamed has its new path in later reports.
            try #require(rename(sample.root + "/a/b", sample.root + "/z") == 0)
            try await wait(events, for: Self.noticed("z/c/second", .changed))
            try moveIn("z/c/third", sample)
            try await wait(events, for: Self.noticed("z/c/third", .movedHere))
            #expect(!events.current.contains(Self.noticed("a/b/c/third", .movedHere)))
        }
    }

    @Test func namesThatAreNotSentAreNotReported() async throws {
        let names = FolderNames(filter: FileFilter(excluded: ["*.tmp", "cache"]), needsMarkers: true)
        try await withWatcher(names, prepare: { try $0.write("cache/inner/x") }) { sample, events in
            try moveIn("a.tmp", sample)
            try moveIn("cache/b", sample)
            try moveIn("cache/inner/b", sample)
            try moveIn("x.tmp.done", sample)
            try moveIn(".sluice-0123456789abcdef", sample)
            try moveIn("c.done", sample)
            try moveIn("last", sample)
            try await wait(events, for: Self.noticed("last", .movedHere))
            #expect(
                events.current == [
                    .watching(Self.id, true), Self.noticed("c.done", .movedHere), Self.noticed("last", .movedHere),
                ])
        }
    }

    /// Otherwise a folder with `ready: rename` would take the file for finished.
    @Test func fileThatGetsItsNameBackWasNotMovedHere() async throws {
        try await withWatcher(prepare: { try $0.write("a") }) { sample, events in
            let path = ItemPath("a")
            #expect(sample.files.perform(.setAside(path, path.aside(1))) == .done)
            #expect(sample.files.perform(.putBack(path.aside(1), to: ItemPath("b"))) == .done)
            try await wait(events, for: Self.noticed("b", .changed))
            #expect(!events.current.contains(Self.noticed("b", .movedHere)))
        }
    }

    @Test func limitOfWatchesIsReported() async throws {
        try await FolderSample.with { sample in
            try sample.write("a/b/file")
            let events = Events([])
            let watcher = FolderWatcher(folders: [(Self.id, sample.files)], watchesMax: 2) { event in
                events.update { $0.append(event) }
            }
            defer { watcher.stop() }
            try await wait(events, for: .watching(Self.id, false))
            // The directories that have a watch are reported all the same.
            try moveIn("c", sample)
            try await wait(events, for: Self.noticed("c", .movedHere))
            #expect(!events.current.contains(.watching(Self.id, true)))
        }
    }

    @Test func folderThatAppearsOrIsReplacedIsWatched() async throws {
        try await FolderSample.with { sample in
            try #require(rmdir(sample.root) == 0)
            let events = Events([])
            let watcher = FolderWatcher(folders: [(Self.id, sample.files)]) { event in
                events.update { $0.append(event) }
            }
            defer { watcher.stop() }
            try await wait(events, for: .watching(Self.id, false))
            try #require(mkdir(sample.root, 0o700) == 0)
            try await wait(events, for: .watching(Self.id, true))
            events.update { $0 = [] }
            try #require(rename(sample.root, sample.root + "-away") == 0 && mkdir(sample.root, 0o700) == 0)
            try await wait(events, for: .watching(Self.id, false))
            try await wait(events, for: .watching(Self.id, true))
            try moveIn("a", sample)
            try await wait(events, for: Self.noticed("a", .movedHere))
        }
    }

    /// While the thread of the watcher is held up, the kernel drops reports.
    @Test func lostReportsAreReported() async throws {
        let limit = try String(contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8)
        let queued = try #require(Int(limit.trimmingCharacters(in: .whitespacesAndNewlines)))
        guard queued <= 100_000 else { return }
        try await FolderSample.with { sample in
            let events = Events([])
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            let (reading, writing) = (ends[0], ends[1])
            let many = [ItemPath("0"), ItemPath("1")]
            let watcher = FolderWatcher(folders: [(Self.id, sample.files)]) { event in
                // The thousands of reports about these files would make each wait slow.
                if case .noticed(_, let path, _) = event, many.contains(path) { return }
                events.update { $0.append(event) }
                var byte: UInt8 = 0
                // Blocks until the test closes the other end.
                if event == Self.noticed("hold", .movedHere) { _ = read(reading, &byte, 1) }
            }
            try await wait(events, for: .watching(Self.id, true))
            try moveIn("hold", sample)
            try await wait(events, for: Self.noticed("hold", .movedHere))
            for number in 0..<(queued / 3 + 100) {
                close(creat(sample.root + "/\(number % 2)", 0o600))
                unlink(sample.root + "/\(number % 2)")
            }
            events.update { $0 = [] }
            close(writing)
            try await wait(events, for: .watching(Self.id, false))
            try await wait(events, for: .watching(Self.id, true))
            try moveIn("later", sample)
            try await wait(events, for: Self.noticed("later", .movedHere))
            watcher.stop()
            close(reading)
        }
    }
}
