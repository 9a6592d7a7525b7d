import GatewayKit
import RepositoryFiles
import Testing
import TransferCommon

/// Which failed requests to the store become log lines.
@Suite struct StoreHealthTests {
    private typealias Sort = StoreHealth.Sort

    private let start = Instant(nanoseconds: 1_000_000_000)
    private let unavailable = Sort(reason: "unavailable", status: 503, code: "SlowDown")

    @Test func failureAndRecoveryAreWrittenOnce() {
        var health = StoreHealth()
        let failed = (0..<3).map { second in
            health.failed("store_part", unavailable, now: start + .seconds(second))
        }
        #expect(failed == [.write(repeated: 0), .count, .count])
        let other = health.succeeded("look_up_object", now: start)
        #expect(other == nil, "another kind of request says nothing about parts")
        let recovered = health.succeeded("store_part", now: start + .seconds(40))
        #expect(recovered?.failures == 3 && recovered?.lasted == .seconds(40))
        let again = health.succeeded("store_part", now: start + .seconds(41))
        #expect(again == nil && health.state(of: "store_part") == .working)
    }

    @Test func equalFailuresAreSummedUpOnceAMinute() {
        var health = StoreHealth()
        var written: [StoreHealth.Series.OnFailure] = []
        for second in 0..<150 as Range<Int64> {
            let onFailure = health.failed("store_part", unavailable, now: start + .seconds(second))
            if onFailure != .count { written.append(onFailure) }
        }
        #expect(written == [.write(repeated: 0), .write(repeated: 59), .write(repeated: 59)])
    }

    @Test func anotherStatusOrKindIsWrittenAtOnce() {
        var health = StoreHealth()
        let sorts = [unavailable, Sort(reason: "unavailable", status: 500), Sort(reason: "denied", status: 403)]
        for kind in ["store_part", "list_parts"] {
            for sort in sorts {
                let failed = health.failed(kind, sort, now: start)
                #expect(failed == .write(repeated: 0), "\(kind), \(sort)")
            }
        }
    }

    /// A store that fails and succeeds in turn must not write two lines for each request.
    @Test func alternatingStoreWritesTwoLinesAMinute() {
        var health = StoreHealth()
        var lines = 0
        for second in 0..<120 as Range<Int64> {
            if health.failed("store_part", unavailable, now: start + .seconds(second)) != .count { lines += 1 }
            if health.succeeded("store_part", now: start + .seconds(second)) != nil { lines += 1 }
        }
        #expect(lines == 4)
    }

    /// A store that invents error codes cannot write a line for each of them.
    @Test func manySortsAreBounded() {
        var health = StoreHealth()
        let written = (0..<1_000).count { number in
            let sort = Sort(reason: "unsupported", status: 400, code: "Code\(number)")
            return health.failed("store_part", sort, now: start) != .count
        }
        #expect(written == StoreHealth.Series.sortsMax)
        let later = health.failed("store_part", unavailable, now: start + .seconds(60))
        #expect(later == .write(repeated: 1_000 - written))
    }

    @Test func theTableListsEveryChange() throws {
        var changes: Set<TransitionTable.Row> = []
        for isFailing in [false, true] {
            for fails in [false, true] {
                var health = StoreHealth()
                if isFailing { _ = health.failed("store_part", unavailable, now: start) }
                let before = Self.name(of: health)
                if fails {
                    _ = health.failed("store_part", unavailable, now: start)
                } else {
                    _ = health.succeeded("store_part", now: start)
                }
                let after = Self.name(of: health)
                if before != after { changes.insert(TransitionTable.Row(from: before, to: after)) }
            }
        }
        #expect(changes == Set(try TransitionTable.rows(of: "Sources/GatewayKit/Log/FailureSeries.swift")))
    }

    private static func name(of health: StoreHealth) -> String {
        switch health.state(of: "store_part") {
        case .working: "working"
        case .failing: "failing"
        }
    }
}
