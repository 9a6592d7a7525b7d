import AgentKit
import AgentService
import FolderCore
import Foundation
import GRDB
import Testing
import TransferCommon

@Suite struct ItemJournalTests {
    // MARK: Records

    /// Each course, each stored state, a path that is not UTF-8, and numbers at their limits.
    private static func allRecords() throws -> [ItemRecord] {
        let plain = try JournalFixture.record(0, key: "k0")
        var odd = try JournalFixture.record(3, key: "k3", generation: .max)
        odd.path = ItemPath([0xFF, UInt8(ascii: "/"), 0xC3])
        odd.stamp.size = .max
        odd.keyNumber = 9_999
        odd.course = .quarantined("it cannot be read")
        var held = try JournalFixture.record(4, key: "k4", isHeld: true)
        held.course = .removing(aside: ItemPath("k4").aside(1))
        var withdrawn = try JournalFixture.record(5, key: "k5")
        withdrawn.stored = .withdrawn(try JournalFixture.proof("other", JournalFixture.stamp(99)))
        return [plain, odd, held, withdrawn]
    }

    @Test func recordsComeBackAsTheyWereWritten() async throws {
        try await JournalFixture.with { fixture in
            let records = try Self.allRecords()
            try fixture.write(records.reversed().map(JournalChange.put))
            #expect(try fixture.records() == records)
        }
    }

    @Test func onlyTheOwnerMayReadTheFile() async throws {
        try await JournalFixture.with { fixture in
            try fixture.write([])
            let attributes = try FileManager.default.attributesOfItem(atPath: fixture.path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func laterRecordReplacesTheEarlierOne() async throws {
        try await JournalFixture.with { fixture in
            let next = try JournalFixture.record(0, key: "next", generation: 2)
            try fixture.write([.put(try JournalFixture.record(0, key: "k")), .put(next)])
            #expect(try fixture.records() == [next])
        }
    }

    /// A place is used again by another item, which has another generation.
    @Test func recordOfALaterItemIsNotForgotten() async throws {
        try await JournalFixture.with { fixture in
            let record = try JournalFixture.record(0, key: "k", generation: 2)
            try fixture.write([.put(record), .forget(ItemID(place: 0, generation: 1))])
            #expect(try fixture.records() == [record])
            try fixture.write([.forget(record.id)])
            #expect(try fixture.records().isEmpty)
        }
    }

    @Test func recordsComeInBatches() async throws {
        try await JournalFixture.with { fixture in
            try fixture.write(try (0..<2_500).map { .put(try JournalFixture.record($0, key: "k\($0)")) })
            try fixture.open { journal in
                var counts: [Int] = []
                try journal.restore { records, _ in counts.append(records.count) }
                #expect(counts == [1_000, 1_000, 500])
            }
        }
    }

    @Test func transactionMayBeRepeated() async throws {
        try await JournalFixture.with { fixture in
            let record = try JournalFixture.record(0, key: "k")
            let key = try ObjectKey(validating: "removed")
            let changes: [JournalChange] = [
                .put(record), .removed(ItemID(place: 1, generation: 1), key),
                .shed(ItemID(place: 2, generation: 1), ItemPath("s"), size: 3),
            ]
            try fixture.write(changes)
            try fixture.open { journal in
                #expect(journal.write(changes, served: .zero) == nil)
                #expect(journal.write(changes, served: .zero) == nil)
            }
            #expect(try fixture.records() == [record])
        }
    }

    // MARK: Removed keys

    @Test func keysOfRemovedFilesAreRemembered() async throws {
        try await JournalFixture.with { fixture in
            let record = try JournalFixture.record(0, key: "k")
            try fixture.write([.put(record)])
            try fixture.write([.removed(record.id, record.key)])
            #expect(try fixture.records().isEmpty)
            // Also for folders of other names.
            try fixture.open(["b"]) { journal in
                #expect(try journal.wasRemoved(record.key))
                let other = try ObjectKey(validating: "K")
                #expect(try !journal.wasRemoved(other))
            }
        }
    }

    // MARK: Time

    @Test func timeOfTheSameBootCounts() async throws {
        try await JournalFixture.with { fixture in
            try fixture.write([], served: .seconds(100))
            fixture.clock.pass(7)
            try fixture.open { #expect($0.served == .seconds(107)) }
            fixture.clock.reboot("boot-2")
            try fixture.open { #expect($0.served == .seconds(100)) }
        }
    }

    /// The service time has a page of its own in the file, so that not every transaction writes it.
    @Test func serviceTimeIsWrittenEachMinute() async throws {
        try await JournalFixture.with { fixture in
            let change = JournalChange.put(try JournalFixture.record(0, key: "k"))
            try fixture.open { journal in
                #expect(journal.write([change], served: .seconds(1)) == nil)
                fixture.clock.pass(59)
                #expect(journal.write([change], served: .seconds(60)) == nil)
                #expect(journal.served == .seconds(60))
            }
            let kept = fixture.clock.now
            fixture.clock.reboot("boot-2")
            try fixture.open { #expect($0.served == .seconds(1)) }
            fixture.clock.reboot(kept.boot)
            try fixture.open { journal in
                #expect(journal.write([change], served: .seconds(70)) == nil)
                fixture.clock.pass(60)
                #expect(journal.write([change], served: .seconds(130)) == nil)
            }
            fixture.clock.reboot("boot-2")
            try fixture.open { #expect($0.served == .seconds(130)) }
        }
    }

    /// A record may survive several reboots without being written again. Its device number is of its own boot.
    @Test func eachRecordTellsWhetherItIsOfThisBoot() async throws {
        try await JournalFixture.with { fixture in
            func boots() throws -> [UInt32: Bool] {
                try fixture.open { journal in
                    var boots: [UInt32: Bool] = [:]
                    try journal.restore { records, isSameBoot in
                        for record in records { boots[record.id.place] = isSameBoot }
                    }
                    return boots
                }
            }
            try fixture.write([.put(try JournalFixture.record(0, key: "a"))])
            #expect(try boots() == [0: true])
            fixture.clock.reboot("boot-2")
            #expect(try boots() == [0: false])
            try fixture.write([.put(try JournalFixture.record(1, key: "b"))])
            #expect(try boots() == [0: false, 1: true])
        }
    }

    // MARK: Losses

    @Test func lossesAreListed() async throws {
        try await JournalFixture.with { fixture in
            let ids = (0..<3).map { ItemID(place: $0, generation: 1) }
            try fixture.open { journal in
                let record = JournalChange.put(try JournalFixture.record(0, key: "k"))
                #expect(journal.write([record], served: .zero) == nil)
                let shed = ids.map { JournalChange.shed($0, ItemPath([0xFF, UInt8($0.place)]), size: 5) }
                #expect(journal.write(shed, served: .zero) == nil)
                #expect(try journal.shed().map(\.isCertain) == [false, false, false])
                #expect(journal.write([.forget(ids[0]), .unshed(ids[1])], served: .zero) == nil)
            }
            // A later run uses the id for another item, and does not correct the list.
            try fixture.write([.unshed(ids[2]), .forget(ids[2])])
            try fixture.open { journal in
                let losses = try journal.shed()
                #expect(losses.map(\.path.bytes) == [[0xFF, 0], [0xFF, 2]])
                #expect(losses.map(\.isCertain) == [true, false])
                #expect(losses.map(\.folder) == ["a", nil])
                #expect(losses.map(\.size) == [5, 5])
            }
        }
    }

    // MARK: People

    @Test func pausesSurviveRestarts() async throws {
        try await JournalFixture.with { fixture in
            try fixture.open(["a", "b"]) { journal in
                try journal.setPaused("b", true)
                try journal.setPaused("later", true)
                try journal.setPaused("a", true)
                try journal.setPaused("a", false)
            }
            try fixture.open(["a"]) { journal in
                let found = try journal.paused()
                #expect(found == ["b", "later"])
            }
            try fixture.open(["a", "b", "later"]) { journal in
                let found = try journal.paused()
                #expect(found == ["b", "later"])
            }
        }
    }

    // MARK: Failures

    @Test func failedTransactionSaysWhy() async throws {
        try await JournalFixture.with { fixture in
            try fixture.open { journal in
                let other = try DatabaseQueue(path: fixture.path)
                try other.write { try $0.execute(sql: "DROP TABLE items") }
                try other.close()
                let change = JournalChange.put(try JournalFixture.record(0, key: "k"))
                guard case .failed(let reason) = journal.write([change], served: .zero) else {
                    Issue.record("the transaction did not fail")
                    return
                }
                #expect(reason.contains("items"))
            }
        }
    }

    @Test func reserveIsFreedAndRenewed() async throws {
        try await JournalFixture.with { fixture in
            let reserve = fixture.directory.appending(path: "items.reserve").path(percentEncoded: false)
            let (journal, _) = try fixture.openAny(reserveBytes: 1 << 20)
            defer { journal.close() }
            func size() throws -> Int? {
                guard FileManager.default.fileExists(atPath: reserve) else { return nil }
                return try FileManager.default.attributesOfItem(atPath: reserve)[.size] as? Int
            }
            #expect(try size() == 1 << 20)
            journal.freeReserve()
            #expect(try size() == nil)
            #expect(journal.renewReserve())
            #expect(try size() == 1 << 20)
            #expect(journal.renewReserve())
        }
    }

    /// Above its limit the service sends nothing and deletes files. It sends again when enough records are deleted,
    /// although the file does not shrink.
    @Test func sizeIsThatOfTheRecords() async throws {
        try await JournalFixture.with { fixture in
            try fixture.open { journal in
                let records = try (0..<1_000).map { try JournalFixture.record($0, key: "k\($0)", isHeld: true) }
                let empty = journal.sizeBytes
                #expect(empty > 0)
                #expect(journal.write(records.map(JournalChange.put), served: .zero) == nil)
                #expect(journal.sizeBytes > empty + 100_000)
                #expect(journal.write(records.map { .forget($0.id) }, served: .zero) == nil)
                #expect(journal.sizeBytes == empty)
            }
        }
    }
}
