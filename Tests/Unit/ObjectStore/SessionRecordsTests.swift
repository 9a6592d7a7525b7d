import ObjectStore
import Testing
import TransferCommon
import WireProtocol

@Suite struct SessionRecordsTests {
    static func record(_ key: String, session: UInt64, upload: String? = nil) -> SessionRecord {
        SessionRecord(
            device: "camera-7", session: SessionID(high: 0, low: session),
            terms: SessionTerms(
                key: key, size: 12_345, partBytes: 8 << 20, modification: ModificationTime(seconds: -1, nanoseconds: 9),
                condition: .absent), upload: upload)
    }

    @Test func readsWhatWasWritten() async throws {
        try await withTestStore { store, _ in
            let records = SessionRecords(store: store)
            var record = Self.record("a/b", session: 1)
            record.terms.size = nil
            #expect(try await records.read(key: "a/b", session: record.session) == nil)
            try await records.write(record)
            #expect(try await records.read(key: "a/b", session: record.session) == record)
            record.upload = "an upload"
            try await records.write(record)
            #expect(try await records.read(key: "a/b", session: record.session) == record)
            try await records.remove(key: "a/b", session: record.session)
            try await records.remove(key: "a/b", session: record.session)
            #expect(try await records.read(key: "a/b", session: record.session) == nil)
        }
    }

    @Test func renewsOnlyWhatIsOld() async throws {
        try await withTestStore { store, directory in
            let records = SessionRecords(store: store)
            let record = Self.record("a/b", session: 1)
            try await records.renew(key: "a/b", session: record.session, olderThan: .zero)
            #expect(try await records.sessions(key: "a/b").isEmpty)
            try await records.write(record)
            let written = try #require(try await records.sessions(key: "a/b").first?.modified)
            try await Task.sleep(for: .milliseconds(20))  // Lets the store's clock advance.
            try await records.renew(key: "a/b", session: record.session, olderThan: .seconds(60))
            #expect(try await records.sessions(key: "a/b").first?.modified == written)
            try await records.renew(key: "a/b", session: record.session, olderThan: .zero)
            let renewed = try #require(try await records.sessions(key: "a/b").first)
            let again = try #require(renewed.modified)
            #expect(again > written && renewed.record == record)
            // A record whose age is unknown is written again, so that no cleaner counts it as old.
            try directory.age(".sluice/sessions", by: 3_600)
            var undated = AlteredStore(store)
            undated.undated = [.record]
            try await SessionRecords(store: undated).renew(
                key: "a/b", session: record.session, olderThan: .seconds(86_400))
            let young = try #require(try await records.sessions(key: "a/b").first?.modified)
            #expect(young >= written)
        }
    }

    /// Other programs and later versions read these bytes, so their form must not change.
    @Test func hasAFixedFormAndName() throws {
        let record = Self.record("a/é", session: 0xAB, upload: "u-1")
        #expect(
            String(decoding: try record.encoded(), as: UTF8.self) == """
                {"device":"camera-7","key":"a/é","modified":{"nanoseconds":9,"seconds":-1},"partBytes":8388608,\
                "replaces":{"what":"nothing"},"session":"000000000000000000000000000000ab","size":12345,\
                "upload":"u-1","version":2}
                """)
        #expect(
            try SessionRecord.name(key: "abc", session: record.session)
                == "ba7816bf8f01cfea414140de5dae2223-000000000000000000000000000000ab")
    }

    @Test func findsTheSessionsOfExactlyOneKey() async throws {
        try await withTestStore { store, _ in
            let records = SessionRecords(store: store)
            // The last two keys look alike but have different bytes, so they are two keys.
            let keys = ["a", "a/b", "ab", "caf\u{E9}", "cafe\u{301}"]
            for (index, key) in keys.enumerated() {
                for session in 0..<3 { try await records.write(Self.record(key, session: UInt64(index * 3 + session))) }
            }
            for (index, key) in keys.enumerated() {
                let found = try await records.sessions(key: key).compactMap(\.record?.session.low)
                #expect(found == (0..<3).map { UInt64(index * 3 + $0) })
            }
            #expect(try await records.sessions(key: "other").isEmpty)
        }
    }

    /// The content of a record must name the key that its name stands for. Otherwise the record does not count for that
    /// key.
    @Test func trustsTheRecordOverItsName() async throws {
        try await withTestStore { store, _ in
            let records = SessionRecords(store: store)
            let name = try SessionRecord.name(key: "a", session: SessionID(high: 0, low: 1))
            try await store.writeRecord(name: name, bytes: try Self.record("other", session: 1).encoded())
            #expect(try await records.sessions(key: "a").isEmpty)
            await expectError(.damaged) { try await records.read(key: "a", session: SessionID(high: 0, low: 1)) }
        }
    }

    @Test(arguments: [1, 2, 3, 1000])
    func walksAllRecordsInPagesOfAnyLength(_ pageCountMax: Int) async throws {
        try await withTestDirectory { directory in
            let store = try await directory.open(pageCountMax: pageCountMax)
            let records = SessionRecords(store: store)
            var expected: Set<SessionRecord> = []
            for session in 0..<6 {
                let record = Self.record("key-\(session % 4)", session: UInt64(session))
                expected.insert(record)
                try await records.write(record)
            }
            var found: [SessionRecord] = []
            for try await entry in records.all { found.append(try #require(entry.record)) }
            #expect(found.count == 6 && Set(found) == expected)
        }
    }

    /// A gateway that may not remove a record replaces it with an empty one. Other gateways then ignore the empty
    /// record.
    @Test func recordWithoutBytesIsPassedOver() async throws {
        try await withTestStore { store, _ in
            let records = SessionRecords(store: store)
            try await records.write(Self.record("a", session: 2))
            let name = try SessionRecord.name(key: "a", session: SessionID(high: 0, low: 1))
            try await store.writeRecord(name: name, bytes: [])
            #expect(try await records.sessions(key: "a").map(\.record) == [Self.record("a", session: 2)])
        }
    }

    @Test(arguments: ["{}", "nonsense", #"{"version":3}"#])
    func reportsAnUnreadableRecord(_ text: String) async throws {
        try await withTestStore { store, _ in
            let records = SessionRecords(store: store)
            try await records.write(Self.record("a", session: 2))
            let name = try SessionRecord.name(key: "a", session: SessionID(high: 0, low: 1))
            try await store.writeRecord(name: name, bytes: Array(text.utf8))
            let entries = try await records.sessions(key: "a")
            #expect(entries.map(\.name).first == name)
            #expect(entries.map(\.record) == [nil, Self.record("a", session: 2)])
            await expectError(.damaged) { try await records.read(key: "a", session: SessionID(high: 0, low: 1)) }
        }
    }

    /// The record of an older gateway has no write condition. A session of such a record replaces no object.
    @Test func readsARecordOfVersionOne() throws {
        let record = Self.record("a", session: 1)
        let text = String(decoding: try record.encoded(), as: UTF8.self)
            .replacing(#""version":2"#, with: #""version":1"#).replacing(#""replaces":{"what":"nothing"},"#, with: "")
        #expect(SessionRecord(decoding: Array(text.utf8)) == record)
        #expect(record.terms.condition == .absent)
    }

    @Test(arguments: [
        (#""version":2"#, #""version":3"#), (#""what":"nothing""#, #""what":"all""#),
        (#""replaces":{"what":"nothing"},"#, ""), (#""what":"nothing""#, #""what":"session""#),
        (#""nanoseconds":9"#, #""nanoseconds":1000000000"#),
        (#""session":"00"#, #""session":"xx"#), (#""partBytes":8388608"#, #""partBytes":-1"#),
        (#""device":"camera-7","#, ""), (#""key":"a""#, #""key":1"#),
    ])
    func refusesMalformedRecords(_ original: String, _ changed: String) throws {
        let text = String(decoding: try Self.record("a", session: 1).encoded(), as: UTF8.self)
        #expect(text.contains(original))
        #expect(SessionRecord(decoding: Array(text.utf8)) != nil)
        #expect(SessionRecord(decoding: Array(text.replacing(original, with: changed).utf8)) == nil)
    }
}
