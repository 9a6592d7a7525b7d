import AgentService
import FolderCore
import Testing
import TransferCommon

/// What becomes of records when the settings name other folders than before.
@Suite struct ParkedRecordTests {
    @Test func foldersAreKnownByTheirNames() async throws {
        try await JournalFixture.with { fixture in
            let first = try JournalFixture.record(0, key: "a/1", folder: 0)
            let second = try JournalFixture.record(1, key: "b/1", folder: 1)
            try fixture.write([.put(first), .put(second)], folders: ["a", "b"])
            let swapped = try fixture.records(["b", "c", "a"])
            #expect(swapped.map(\.folder) == [FolderID(2), FolderID(0)])
            #expect(swapped.map(\.key) == [first.key, second.key])
        }
    }

    /// The machine knows nothing of the places of parked records, and gives them to new items.
    @Test func parkedRecordsComeBackAtOtherPlaces() async throws {
        try await JournalFixture.with { fixture in
            let parked = try (0..<3).map { try JournalFixture.record($0, key: "a/\($0)", isHeld: true) }
            try fixture.write(parked.map(JournalChange.put))
            #expect(try fixture.records(["b"]).isEmpty)
            try fixture.open(["b"]) { journal in
                let found = try journal.parked()
                #expect(found == ["a": 3])
            }
            let newer = try (0..<2).map { try JournalFixture.record($0, key: "b/\($0)") }
            try fixture.write(newer.map(JournalChange.put), folders: ["b"])

            let all = try fixture.records(["b", "a"])
            #expect(all.map(\.id.place) == [0, 1, 2, 3, 4])
            #expect(all.filter { $0.folder == FolderID(0) } == newer)
            let back = all.filter { $0.folder == FolderID(1) }
            #expect(back.map(\.path) == parked.map(\.path))
            #expect(back.map(\.stored) == parked.map(\.stored))
            try fixture.open(["b", "a"]) { journal in
                let found = try journal.parked()
                #expect(found.isEmpty)
            }
        }
    }

    /// The object of a parked record may be replaced by the item that has its key now. A file must not be deleted
    /// because of a proof of the earlier object.
    @Test func parkedRecordWhoseKeyIsUsedProvesNothing() async throws {
        try await JournalFixture.with { fixture in
            let aside = ItemPath("k1").aside(1)
            try fixture.write([
                .put(try JournalFixture.record(0, key: "k0", isHeld: true)),
                .put(try JournalFixture.record(1, key: "k1", isHeld: true, course: .removing(aside: aside))),
                .put(try JournalFixture.record(2, key: "k2", isHeld: true)),
            ])
            try fixture.write(
                [
                    .put(try JournalFixture.record(0, key: "k0", isHeld: true)),
                    .put(try JournalFixture.record(1, key: "k1")),
                ], folders: ["b"])
            let back = try fixture.records(["b", "a"]).filter { $0.folder == FolderID(1) }
            #expect(back.map(\.key.text) == ["k1", "k2"])
            #expect(back.map { $0.stored.proof == nil } == [true, false])
            #expect(back.map(\.course) == [.removing(aside: aside), .usual])
        }
    }

    /// The settings may change while the service runs.
    @Test func foldersMayBeNamedAnew() async throws {
        try await JournalFixture.with { fixture in
            try fixture.open(["a", "b"]) { journal in
                let changes: [JournalChange] = [
                    .put(try JournalFixture.record(0, key: "a/0", folder: 0)),
                    .put(try JournalFixture.record(1, key: "b/0", folder: 1)),
                ]
                #expect(journal.write(changes, served: .zero) == nil)
                try journal.setFolders(["b"])
                var keys: [String] = []
                try journal.restore { records, _ in keys += records.map(\.key.text) }
                #expect(keys == ["b/0"])
                #expect(journal.write([.put(try JournalFixture.record(1, key: "b/1"))], served: .zero) == nil)
            }
            #expect(try fixture.records(["a", "b"]).map(\.key.text).sorted() == ["a/0", "b/1"])
        }
    }

    /// The machine needs memory for each place up to the largest.
    @Test func recordsMoveToEmptyPlaces() async throws {
        try await JournalFixture.with { fixture in
            let places: [UInt32] = [1, 2, 3_000_000, .max - 1]
            try fixture.write(try places.map { .put(try JournalFixture.record($0, key: "k\($0)")) })
            let records = try fixture.records()
            #expect(records.map(\.id.place) == [0, 1, 2, 3])
            #expect(Set(records.map(\.key.text)) == Set(places.map { "k\($0)" }))
        }
    }

    @Test func fewEmptyPlacesStayEmpty() async throws {
        try await JournalFixture.with { fixture in
            let records = try [1, 10_000].map { try JournalFixture.record($0, key: "k\($0)") }
            try fixture.write(records.map(JournalChange.put))
            #expect(try fixture.records() == records)
        }
    }
}
