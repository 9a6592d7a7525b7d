import Testing
import TransferCore
import WireProtocol

@Suite struct OfferPlacementTests {
    private static func candidate(_ connection: UInt64, sending: Int, turns: Int = 0) -> OfferPlacement.Candidate {
        let place = Attachment(connection: ConnectionID(connection), slot: Slot(1))
        return OfferPlacement.Candidate(place, sendingCount: sending, turnCount: turns)
    }

    private static let candidates = [
        candidate(3, sending: 1, turns: 1), candidate(2, sending: 1, turns: 2), candidate(1, sending: 2),
    ]

    @Test func fewestPartsComeFirst() {
        let placement = OfferPlacement()
        #expect(placement.choose(among: Self.candidates)?.connection == ConnectionID(3))
        #expect(
            placement.choose(among: Self.candidates + [Self.candidate(4, sending: 0, turns: 9)])?.connection.value == 4)
        #expect(placement.choose(among: []) == nil)
    }

    @Test func equalConnectionsAreTakenByNumber() {
        let equal = [Self.candidate(5, sending: 1), Self.candidate(4, sending: 1)]
        #expect(OfferPlacement().choose(among: equal)?.connection == ConnectionID(4))
    }

    /// The agent sends four parts at a time. It has one connection and expects two more. Each connection's share of the
    /// four parts, rounded up, is two, so the first connection gets no third part.
    @Test func expectedConnectionsKeepTheirShare() {
        let placement = OfferPlacement(concurrency: 4, coming: 2, present: 1)
        #expect(placement.choose(among: [Self.candidate(1, sending: 1)])?.connection == ConnectionID(1))
        #expect(placement.choose(among: [Self.candidate(1, sending: 2)]) == nil)
        let alone = OfferPlacement(concurrency: 4, coming: 0, present: 1)
        #expect(alone.choose(among: [Self.candidate(1, sending: 9)])?.connection == ConnectionID(1))
    }
}
