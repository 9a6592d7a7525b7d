import RepositoryFiles
import SecureChannel
import Testing

@Suite struct ReadDemandTests {
    private static let all: [ReadDemand] = [.none, .wanted, .answered, .answeredAndWanted]

    private static let events: [@Sendable (inout ReadDemand) -> Void] = [
        { $0.requested() }, { $0.delivered() }, { _ = $0.completeBurst() },
    ]

    @Test func machineMatchesItsTable() throws {
        var changes: Set<TransitionTable.Row> = []
        for demand in Self.all {
            for event in Self.events {
                var next = demand
                event(&next)
                guard next != demand else { continue }
                changes.insert(TransitionTable.Row(from: "\(demand)", to: "\(next)"))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/SecureChannel/Handler/ReadDemand.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func demandDuringABurstOutlivesIt() {
        var demand = ReadDemand.wanted
        demand.delivered()
        #expect(demand.isInBurst && !demand.isWanted)
        demand.requested()
        #expect(demand.isInBurst && demand.isWanted)
        #expect(demand.completeBurst() == true)
        #expect(demand == .wanted)
        #expect(demand.completeBurst() == false)
    }
}
