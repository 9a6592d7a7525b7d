import RepositoryFiles
import Testing
import TransferCommon
import TransferCore

@Suite struct ObjectSearchTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static let causes: [ObjectSearch.Cause] = [.uploadUnknown, .conditionFailed, .conflict]

    private static func look(_ search: inout ObjectSearch, at now: Instant = now) -> ObjectSearch.OnNothing {
        search.foundNothing(looksMin: 3, interval: .seconds(1), now: now)
    }

    private static func name(after search: ObjectSearch, _ result: ObjectSearch.OnNothing) -> String {
        switch (result, search.phase) {
        case (.pause, .looking): "looking"
        case (.pause, .pausing): "pausing"
        case (.writeAgain, _): "writeAgain"
        case (.lost, _): "lost"
        }
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = []
        for cause in Self.causes {
            var search = ObjectSearch(cause: cause, patience: .zero, now: Self.now)
            for _ in 0..<4 {
                let result = Self.look(&search)
                changes.insert(TransitionTable.Row(from: "looking", to: Self.name(after: search, result)))
                guard search.nextDeadline != nil else { break }
                search.resumed()
                #expect(search.phase == .looking)
                changes.insert(TransitionTable.Row(from: "pausing", to: "looking"))
            }
        }
        let rows = Set(try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Session/ObjectSearch.swift"))
        #expect(rows == changes)
    }

    @Test func looksThreeTimesFurtherAndFurtherApart() {
        for (cause, end) in [(.uploadUnknown, .lost), (.conflict, .writeAgain)]
            as [(ObjectSearch.Cause, ObjectSearch.OnNothing)]
        {
            var search = ObjectSearch(cause: cause, patience: .zero, now: Self.now)
            #expect(Self.look(&search) == .pause)
            #expect(search.nextDeadline == Self.now + .seconds(1))
            search.resumed()
            #expect(Self.look(&search) == .pause)
            #expect(search.nextDeadline == Self.now + .seconds(2))
            search.resumed()
            #expect(Self.look(&search) == end)
        }
    }

    @Test func failedConditionIsWrittenAgainAtOnce() {
        var search = ObjectSearch(cause: .conditionFailed, patience: .seconds(100), now: Self.now)
        #expect(Self.look(&search) == .writeAgain)
    }

    /// If the store does not know the upload, another gateway may be completing the upload. So the session looks for
    /// the object until its patience is used up. After a conflict, the session looks only a few times and then writes
    /// again.
    @Test func patienceCountsForAnUnknownUploadOnly() {
        var patient = ObjectSearch(cause: .uploadUnknown, patience: .seconds(100), now: Self.now)
        var conflict = ObjectSearch(cause: .conflict, patience: .seconds(100), now: Self.now)
        for _ in 0..<2 {
            #expect(Self.look(&patient) == .pause)
            #expect(Self.look(&conflict) == .pause)
            patient.resumed()
            conflict.resumed()
        }
        #expect(Self.look(&conflict) == .writeAgain)
        #expect(Self.look(&patient, at: Self.now + .seconds(99)) == .pause)
        patient.resumed()
        #expect(Self.look(&patient, at: Self.now + .seconds(100)) == .lost)
    }
}
