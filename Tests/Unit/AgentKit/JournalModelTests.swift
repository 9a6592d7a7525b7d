import AgentKit
import Foundation
import SeededRandom
import TestSupport
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Compares the journal with the model of it that the simulator uses (`VirtualJournal`). The simulator's results are
/// valid only if both react to all writes in the same way.
@Suite struct JournalModelTests {
    private static let uploads = (1...3).map { UploadID($0) }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func anyWritesMatchTheModel(seed: UInt64) async throws {
        try await withTemporaryDirectory("journal") { directory in
            let path = directory.appending(path: "journal.db").path(percentEncoded: false)
            let clock: @Sendable () -> BootMoment = { BootMoment(boot: "boot", milliseconds: 5) }
            var journal = try Journal.open(path, clock: clock)
            var highest: Int64 = 0
            let model = VirtualJournal()
            for id in Self.uploads {
                model.add(VirtualJournal.Row(id: id, key: Self.key(id), policy: .verify, partBytesWish: nil))
            }
            var draws = Draws(generator: SeededGenerator(seed: seed))
            for _ in 0..<40 {
                let writes = (0..<draws.number(1...6)).map { _ in draws.write() }
                try journal.apply(writes, nowMilliseconds: 1) { id in
                    Journal.Subject(path: "/\(id.value)", key: Self.key(id), policy: .verify)
                }
                for write in writes {
                    model.apply(write)
                    if case .began(let id, _) = write { highest = max(highest, id.value) }
                }
                // From time to time, continue with a new database connection, as a new process would.
                if draws.number(0...9) == 0 { journal = try Journal.open(path, clock: clock) }
                try Self.expectSame(journal, model, after: writes)
                #expect(try journal.lastUpload() == highest, "\(writes)")
            }
        }
    }

    /// After a run the journal's main file is complete, so that a copy of this file is a full backup.
    @Test func closingRemovesAuxiliaryFiles() async throws {
        try await withTemporaryDirectory("journal") { directory in
            let path = directory.appending(path: "journal.db").path(percentEncoded: false)
            var draws = Draws(generator: SeededGenerator(seed: 1))
            func use(_ journal: Journal) throws {
                let writes = (0..<20).map { _ in draws.write() }
                try journal.apply(writes, nowMilliseconds: 1) { id in
                    Journal.Subject(path: "/\(id.value)", key: Self.key(id), policy: .verify)
                }
                for id in Self.uploads { _ = try journal.record(ofKey: Self.key(id)) }
            }
            try use(Journal.open(path))
            let files = try FileManager.default.contentsOfDirectory(atPath: directory.path(percentEncoded: false))
            #expect(files == ["journal.db"])
        }
    }

    private static func key(_ id: UploadID) -> String { "key-\(id.value)" }

    private static func expectSame(_ journal: Journal, _ model: VirtualJournal, after writes: [JournalWrite]) throws {
        for id in uploads {
            let (row, modelled) = (try journal.upload(id), model.rows[id])
            var saved = modelled?.saved
            saved?.parts = (modelled?.parts.values.map { $0 } ?? []).sorted { $0.part < $1.part }
            #expect(row?.saved == saved, "\(writes)")
            if let row {
                #expect(row.isDropping == modelled?.isDropping, "\(writes)")
                #expect(row.fruitlessAttempts == modelled?.fruitless, "\(writes)")
            }
            let record = try journal.record(ofKey: key(id))
            #expect(record.proof == modelled?.proof, "\(writes)")
            #expect(record.withdrawn?.stamp == modelled?.withdrawn, "\(writes)")
        }
    }
}

private struct Draws {
    var generator: SeededGenerator

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func write() -> JournalWrite {
        let id = UploadID(Int64(number(1...3)))
        switch number(0...14) {
        case 0, 1: return .began(id, saved())
        case 2: return .token(id, generator.bytes(number(0...40)))
        case 3, 4, 5, 6: return entry().map { .stored(id, $0) } ?? .dropping(id)
        case 7: return .unstored(id, parts(number(0...3)))
        case 8: return .restamped(id, stamp())
        case 9: return .lost(id, losses: number(0...3))
        case 10: return .dropping(id)
        case 11: return .mayStillAppear(id)
        case 12: return .doubted(key: "key-\(id.value)")
        case 13: return .fruitless(id, attempts: number(0...3))
        default: return .finished(id, outcome())
        }
    }

    private mutating func saved() -> SavedSession {
        SavedSession(
            session: SessionID(high: generator.next(), low: generator.next()), token: generator.bytes(number(0...40)),
            partBytes: generator.next(), metadata: metadata(), stamp: stamp(), parts: [], losses: number(0...3))
    }

    private mutating func metadata() -> SessionMetadata {
        let pairs = (0..<number(0...2)).map { MetadataPair(name: "name-\($0)", value: "a=\(number(0...9))") }
        let type = number(0...1) == 0 ? "" : "video/mp4"
        // The drawn pairs are always valid, so the fallback is never used.
        return (try? SessionMetadata(chosen: pairs, contentType: type)) ?? .none
    }

    private mutating func parts(_ count: Int) -> [PartNumber] {
        (0..<count).compactMap { _ in PartNumber(UInt32(number(1...6))) }
    }

    private mutating func entry() -> PartListEntry? {
        guard let part = parts(1).first else { return nil }
        return PartListEntry(
            part: part, size: UInt64(number(0...1_000)),
            digest: SHA256Digest(bytes: generator.bytes(32)), etag: "etag-\(number(1...9))")
    }

    private mutating func stamp() -> FileStamp {
        func time() -> ModificationTime {
            let seconds = [Int64(number(0...1_000)), .min, .max, -1][number(0...3)]
            return ModificationTime(seconds: seconds, nanoseconds: UInt32(number(0...999_999_999)))
        }
        return FileStamp(
            device: generator.next(), inode: generator.next(), size: generator.next(), modification: time(),
            change: time())
    }

    private mutating func outcome() -> UploadOutcome {
        switch number(0...3) {
        case 0: .dropped
        case 1: .failed(UploadFailure(.busy, "later"))
        case 2: .failed(UploadFailure(.keyInvalid, "never"))
        default: .stored(receipt(), wasThere: number(0...1) == 0)
        }
    }

    private mutating func receipt() -> UploadReceipt {
        let root = number(0...1) == 0 ? nil : SHA256Digest(bytes: generator.bytes(32))
        var receipt = UploadReceipt(
            size: generator.next(), partBytes: generator.next(), root: root, evidence: .none, etag: "e", version: "")
        if number(0...1) == 0 { receipt.session = SessionID(high: generator.next(), low: generator.next()) }
        if number(0...2) > 0 { receipt.stamp = stamp() }
        receipt.stampCounts = number(0...1) == 0
        if number(0...1) == 0, let store = StoreIdentity(bytes: generator.bytes(32)) {
            receipt.site = DeviceSite(store: store, device: "d", prefix: ["", "site/"][number(0...1)])
        }
        return receipt
    }
}
