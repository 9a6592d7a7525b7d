import GatewayKit
import RepositoryFiles
import Testing
import TransferCommon

/// Which failed requests to the store become log lines.
@Suite struct StoreHealthTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func failureAndRecoveryAreWrittenOnce() {
        var health = StoreHealth()
        for _ in 1...3 {
            let failed = health.failed("store_part", now: start)
            #expect(failed == .write(unwrittenBefore: 0))
        }
        let other = health.succeeded("look_up_object")
        #expect(other == nil, "another kind of request says nothing about parts")
        let recovered = health.succeeded("store_part")
        #expect(recovered == 3)
        let again = health.succeeded("store_part")
        #expect(again == nil && health.state(of: "store_part") == .working)
    }

    @Test func linesAreLimitedAndTheRestIsCounted() {
        var health = StoreHealth()
        let outcomes = (1...50).map { _ in health.failed("store_part", now: start) }
        #expect(outcomes.count { $0 == .write(unwrittenBefore: 0) } == 20)
        #expect(outcomes.suffix(30).allSatisfy { $0 == .count })
        let later = health.failed("list_parts", now: start + .seconds(1))
        #expect(later == .write(unwrittenBefore: 30))
        let next = health.failed("list_parts", now: start + .seconds(2))
        #expect(next == .write(unwrittenBefore: 0))
    }

    /// If the log has no line about a series of failures, it gets no line about the end of the series.
    @Test func unwrittenSeriesEndsUnwritten() {
        var health = StoreHealth()
        for _ in 1...20 { _ = health.failed("store_part", now: start) }
        let failed = health.failed("list_parts", now: start)
        #expect(failed == .count && health.state(of: "list_parts") == .failing(count: 1, isWritten: false))
        let recovered = health.succeeded("list_parts")
        #expect(recovered == nil)
    }

    @Test func theTableListsEveryChange() throws {
        var changes: Set<TransitionTable.Row> = []
        for isFailing in [false, true] {
            for fails in [false, true] {
                var health = StoreHealth()
                if isFailing { _ = health.failed("store_part", now: start) }
                let before = Self.name(of: health)
                if fails {
                    _ = health.failed("store_part", now: start)
                } else {
                    _ = health.succeeded("store_part")
                }
                let after = Self.name(of: health)
                if before != after { changes.insert(TransitionTable.Row(from: before, to: after)) }
            }
        }
        #expect(changes == Set(try TransitionTable.rows(of: "Sources/GatewayKit/Store/StoreHealth.swift")))
    }

    private static func name(of health: StoreHealth) -> String {
        switch health.state(of: "store_part") {
        case .working: "working"
        case .failing: "failing"
        }
    }
}
