import AgentKit
import Foundation
import GRDB
import Logging
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// Tests of when a journal is examined as it is opened.
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

    /// A run that fails before it has written anything leaves the file of the journal as it was.
    @Test func openedJournalHasNoMark() async throws {
        try await withHome { home in
            try use(home)
            // Commands that only read leave the mark.
            try AgentJournal.open(home, logger: Self.logger).close()
            #expect(JournalMark(of: home).holds)
            try AgentJournal.open(home, isOwner: true, logger: Self.logger).close()
            #expect(!JournalMark(of: home).holds)
        }
    }

    /// A process that was killed leaves a log of SQLite beside the file, although the file itself is unchanged.
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

    /// Another program may have written values of a wrong type into a closed journal.
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
