import Testing
import TransferCore
import WireProtocol

/// On which connection a part is offered.
@Suite struct OfferPlacementTests {
    private static func candidate(_ connection: UInt64, sending: Int, turns: Int = 0) -> OfferPlacement.Candidate {
        OfferPlacement.Candidate(ConnectionID(connection), slot: Slot(1), sendingCount: sending, turnCount: turns)
    }

    private static let candidates = [
        candidate(3, sending: 1, turns: 1), candidate(2, sending: 1, turns: 2), candidate(1, sending: 2),
    ]

    @Test func fewestPartsComeFirst() {
        let placement = OfferPlacement()
        #expect(placement.connection(among: Self.candidates) == ConnectionID(3))
        #expect(placement.connection(among: Self.candidates + [Self.candidate(4, sending: 0, turns: 9)])?.value == 4)
        #expect(placement.connection(among: []) == nil)
    }

    @Test func equalConnectionsAreTakenByNumber() {
        let equal = [Self.candidate(5, sending: 1), Self.candidate(4, sending: 1)]
        #expect(OfferPlacement().connection(among: equal) == ConnectionID(4))
    }

    /// The agent sends four parts at a time. It has one connection and expects two more. Each connection's share of the
    /// four parts, rounded up, is two, so the first connection gets no third part.
    @Test func expectedConnectionsKeepTheirShare() {
        let placement = OfferPlacement(concurrency: 4, coming: 2, present: 1)
        #expect(placement.connection(among: [Self.candidate(1, sending: 1)]) == ConnectionID(1))
        #expect(placement.connection(among: [Self.candidate(1, sending: 2)]) == nil)
        let alone = OfferPlacement(concurrency: 4, coming: 0, present: 1)
        #expect(alone.connection(among: [Self.candidate(1, sending: 9)]) == ConnectionID(1))
    }
}
