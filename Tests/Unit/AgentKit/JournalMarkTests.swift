import AgentKit
import Foundation
import GRDB
import Logging
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// Tests of the mark that a run leaves beside the journal when it closes the journal. Without the mark, the next run
/// examines the whole journal for damage.
@Suite struct JournalMarkTests {
    private static let logger = Logger(label: "test")

    private static let site = SHA256Digest(bytes: [UInt8](repeating: 7, count: 32)).map {
        DeviceSite(store: $0, device: "d", prefix: "site/")
    }

    private func withHome(_ body: (AgentHome) throws -> Void) async throws {
        try await withTemporaryDirectory { try body(AgentHome(path: $0.path(percentEncoded: false))) }
    }

    private func use(_ home: AgentHome, failed: Bool = false) throws {
        let journal = try AgentJournal.open(home, isOwner: true, logger: Self.logger)
        try journal.apply([.site(try #require(Self.site))], nowMilliseconds: 0) { _ in nil }
        try AgentJournal.close(journal, of: home, failed: failed)
    }

    @Test func closedJournalIsMarked() async throws {
        try await withHome { home in
            #expect(!JournalMark(of: home).holds)
            try use(home)
            #expect(JournalMark(of: home).holds)
            try use(home)
            #expect(JournalMark(of: home).holds)
        }
    }

    @Test func failedRunLeavesNoMark() async throws {
        try await withHome { home in
            try use(home)
            try use(home, failed: true)
            #expect(!JournalMark(of: home).holds)
        }
    }

    /// A run that fails before it writes anything does not change the journal's file, so the old mark would still
    /// match. Therefore a run removes the mark as soon as it opens the journal.
    @Test func openedJournalHasNoMark() async throws {
        try await withHome { home in
            try use(home)
            // Commands that only read the journal keep the mark.
            try AgentJournal.open(home, logger: Self.logger).close()
            #expect(JournalMark(of: home).holds)
            try AgentJournal.open(home, isOwner: true, logger: Self.logger).close()
            #expect(!JournalMark(of: home).holds)
        }
    }

    /// A killed process does not change the journal's file, but leaves a log of SQLite beside it. So the mark does not
    /// hold.
    @Test func journalOfKilledProcessIsNotIntact() async throws {
        try await withHome { home in
            try use(home)
            let journal = try AgentJournal.open(home, isOwner: true, logger: Self.logger)
            try journal.apply([.site(try #require(Self.site))], nowMilliseconds: 0) { _ in nil }
            #expect(!JournalMark(of: home).holds)
            withExtendedLifetime(journal) {
                #expect(FileManager.default.fileExists(atPath: home.journalPath + "-wal"))
            }
        }
    }

    /// Another program may have written values of a wrong type into a closed journal. Its file then no longer matches
    /// the mark, so the next run examines it and sets it aside.
    @Test func changedJournalIsExamined() async throws {
        try await withHome { home in
            try use(home)
            let queue = try DatabaseQueue(path: home.journalPath)
            try queue.writeWithoutTransaction { try $0.execute(sql: "UPDATE site SET device = x'05'") }
            try queue.close()
            #expect(!JournalMark(of: home).holds)
            #expect(try AgentJournal.open(home, isOwner: true, logger: Self.logger).site() == nil)
            let names = try FileManager.default.contentsOfDirectory(atPath: home.path)
            #expect(names.contains { $0.contains("damaged") }, "\(names)")
        }
    }
}
