import AgentKit
import AgentService
import FolderCore
import Foundation
import Synchronization
import TestSupport
import Testing
import TransferCommon

/// A journal of items in a directory of its own, and a clock that a test sets.
struct JournalFixture {
    /// The clock of the computer: time since boot.
    final class Clock: Sendable {
        private let moment = Mutex(BootMoment(boot: "boot-1", milliseconds: 1_000))

        var now: BootMoment { moment.withLock { $0 } }

        func pass(_ seconds: Int64) { moment.withLock { $0.milliseconds += seconds * 1_000 } }

        func reboot(_ boot: String) { moment.withLock { $0 = BootMoment(boot: boot, milliseconds: 500) } }
    }

    let directory: URL
    let clock = Clock()

    var path: String { directory.appending(path: "items.sqlite").path(percentEncoded: false) }

    static func with(_ body: (JournalFixture) throws -> Void) async throws {
        try await withTemporaryDirectory("items") { try body(JournalFixture(directory: $0)) }
    }

    /// Opens the journal, closes it at the end of `body`, and expects that it is intact.
    func open<Result>(_ folders: [String] = ["a"], _ body: (ItemJournal) throws -> Result) throws -> Result {
        let (journal, problem) = try openAny(folders)
        defer { journal.close() }
        #expect(problem == nil)
        return try body(journal)
    }

    func openAny(_ folders: [String] = ["a"], reserveBytes: Int = 0) throws -> (journal: ItemJournal, problem: String?)
    {
        try ItemJournal.open(
            path: path, folderNames: folders, reserveBytes: reserveBytes, clock: { [clock] in clock.now })
    }

    /// Writes the changes and expects that they are durable.
    func write(_ changes: [JournalChange], served: ServiceTime = .zero, folders: [String] = ["a"]) throws {
        try open(folders) { #expect($0.write(changes, served: served) == nil) }
    }

    /// The records that a new run gets.
    func records(_ folders: [String] = ["a"]) throws -> [ItemRecord] {
        try open(folders) { journal in
            var all: [ItemRecord] = []
            try journal.restore { records, _ in all += records }
            return all
        }
    }

    // MARK: Values

    static func digest(_ byte: UInt8) -> SHA256Digest {
        SHA256Digest(bytes: [UInt8](repeating: byte, count: 32)) ?? .zero
    }

    static func stamp(_ inode: UInt64, device: UInt64 = 7) -> FileStamp {
        FileStamp(
            device: device, inode: inode, size: 9,
            modification: ModificationTime(seconds: -3, nanoseconds: 999_999_999),
            change: ModificationTime(seconds: 1_700_000_000, nanoseconds: 1))
    }

    static func proof(_ key: String, _ stamp: FileStamp) throws -> ItemProof {
        ItemProof(
            store: digest(1), key: try ObjectKey(validating: key), session: SessionID(high: 2, low: .max), stamp: stamp,
            stampCounts: true, partBytes: 8 << 20, root: digest(3), etag: "\"e\"", version: "v")
    }

    static func record(
        _ place: UInt32, key: String, folder: UInt32 = 0, generation: UInt32 = 1, isHeld: Bool = false,
        course: ItemRecord.Course = .usual
    ) throws -> ItemRecord {
        let stamp = stamp(UInt64(place) + 1)
        return ItemRecord(
            id: ItemID(place: place, generation: generation), folder: FolderID(folder), path: ItemPath(key),
            stamp: stamp, head: FileHead(byteCount: 4, hash: .max), key: try ObjectKey(validating: key),
            stored: isHeld ? .held(try proof(key, stamp), since: .seconds(5)) : .none, course: course)
    }
}
