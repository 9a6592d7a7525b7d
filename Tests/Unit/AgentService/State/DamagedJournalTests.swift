import AgentService
import FolderCore
import Foundation
import GRDB
import Testing
import TransferCommon

@Suite struct DamagedJournalTests {
    private func change(_ fixture: JournalFixture, _ sql: String) throws {
        let queue = try DatabaseQueue(path: fixture.path)
        try queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }

    @Test func fileThatIsNoDatabaseIsSetAside() async throws {
        try await JournalFixture.with { fixture in
            let content = Data(repeating: 0x5A, count: 10_000)
            for number in 1...2 {
                try content.write(to: URL(filePath: fixture.path))
                let (journal, problem) = try fixture.openAny()
                let aside = "\(fixture.path).damaged-\(number)"
                #expect(problem?.contains(aside) == true)
                #expect(try Data(contentsOf: URL(filePath: aside)) == content)
                #expect(journal.write([.put(try JournalFixture.record(0, key: "k"))], served: .zero) == nil)
                journal.close()
                #expect(try fixture.records().map(\.key.text) == ["k"])
            }
        }
    }

    /// The proofs of a damaged journal are not believed. What protects objects and files is copied.
    @Test func newJournalTakesWhatProtectsObjectsAndFiles() async throws {
        try await JournalFixture.with { fixture in
            let aside = ItemPath("k1").aside(1)
            let removed = try ObjectKey(validating: "removed")
            try fixture.open { journal in
                let changes: [JournalChange] = [
                    .put(try JournalFixture.record(0, key: "k0", isHeld: true)),
                    .put(try JournalFixture.record(1, key: "k1", isHeld: true, course: .removing(aside: aside))),
                    .removed(ItemID(place: 2, generation: 1), removed),
                ]
                #expect(journal.write(changes, served: .seconds(9)) == nil)
                try journal.setPaused("a", true)
            }
            // SQLite takes a value of any type, so that its own check finds nothing.
            try change(fixture, "UPDATE items SET stamp = 5 WHERE place = 0")
            let (journal, problem) = try fixture.openAny()
            defer { journal.close() }
            #expect(problem != nil)
            var records: [ItemRecord] = []
            try journal.restore { batch, isSameBoot in
                records += batch
                #expect(!isSameBoot)
            }
            #expect(records.map(\.key.text) == ["k1"])
            #expect(records.first?.course == .removing(aside: aside))
            #expect(records.first?.stored.proof == nil)
            #expect(try journal.wasRemoved(removed))
            #expect(try journal.paused() == ["a"])
        }
    }

    /// A record with a value of the right type that no item can have is skipped: its file is found like a new one.
    @Test func recordWithAnInvalidValueIsSkipped() async throws {
        try await JournalFixture.with { fixture in
            let records = try (0..<12).map { try JournalFixture.record($0, key: "k\($0)", isHeld: true) }
            try fixture.write(records.map(JournalChange.put))
            let values = [
                "generation = -1", "path = x''", "stamp = x'00'", "head_bytes = 70000", "key = x'2F'",
                "key_number = -1", "course = 9", "course = 1", "stored = 7", "store = x'00'", "since = NULL",
            ]
            for (place, value) in values.enumerated() {
                try change(fixture, "UPDATE items SET \(value) WHERE place = \(place)")
            }
            #expect(try fixture.records() == [records[11]])
        }
    }

    @Test(arguments: ["session = x'00'", "root = x''", "proof_key = x'2F2F'", "proof_stamp = x'00'"])
    func proofWithAnInvalidValueIsSkipped(_ value: String) async throws {
        try await JournalFixture.with { fixture in
            try fixture.write([.put(try JournalFixture.record(0, key: "k", isHeld: true))])
            try change(fixture, "UPDATE items SET \(value)")
            #expect(try fixture.records().isEmpty)
        }
    }

    @Test func proofWithoutADigestIsSkippedAndEndsNothing() async throws {
        try await JournalFixture.with { fixture in
            let good = try JournalFixture.record(1, key: "good", isHeld: true)
            try fixture.write([.put(try JournalFixture.record(0, key: "k", isHeld: true)), .put(good)])
            try change(fixture, "UPDATE items SET root = NULL WHERE place = 0")
            #expect(try fixture.records() == [good])
        }
    }
}
