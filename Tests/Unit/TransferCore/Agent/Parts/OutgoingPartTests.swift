import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct OutgoingPartTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let digests = OutgoingPart.Digests(sha256: ToyDigest.sha256([1]), md5: nil)
    private static let offer = OfferID(1)
    private static let place = Attachment(connection: ConnectionID(1), slot: Slot(1))

    private static let events: [@Sendable (inout OutgoingPart) -> Void] = [
        { $0.read(digests, now: now) }, { $0.readAgain(after: digests.sha256) },
        { $0.begin(OutgoingPart.Offer(offer, in: place)) }, { _ = $0.handed(100) },
        { _ = $0.taken(upTo: 100, of: offer) }, { $0.allTaken() }, { _ = $0.granted(from: 0, limit: 50) },
        { _ = $0.raised(to: 100) }, { _ = $0.takeEarlyBytes() },
        { $0.withdraw(notBefore: now + .seconds(1), waitsForStore: true) }, { _ = $0.storeIsWell(now: now) },
    ]

    private static func name(of part: OutgoingPart) -> String {
        switch part.state {
        case .reading: "reading"
        case .ready: "ready"
        case .sending: "sending"
        case .sent: "sent"
        }
    }

    private static func part(size: UInt64 = 100) -> OutgoingPart { OutgoingPart(size: size, isCounted: true) }

    private static func sending(size: UInt64 = 100) -> OutgoingPart {
        var part = part(size: size)
        part.read(digests, now: now)
        part.begin(OutgoingPart.Offer(offer, in: place))
        return part
    }

    /// The test leaves out events that change only the data of a state, except for the second read of the part.
    @Test func theTableIsTrue() throws {
        var parts = [Self.part()]
        var seen = Set(parts)
        var changes: Set<TransitionTable.Row> = []
        while let part = parts.popLast(), seen.count < 10_000 {
            for (index, event) in Self.events.enumerated() {
                var next = part
                event(&next)
                guard next != part else { continue }
                let (from, to) = (Self.name(of: part), Self.name(of: next))
                if from != to || index == 1 { changes.insert(TransitionTable.Row(from: from, to: to)) }
                // The search skips a step in which the agent would pass the shell more bytes than the part has: such a
                // step leads to no further states.
                guard next.bytesToHand <= next.size, next.offer.map({ _ in part.bytesToHand > 0 || index != 3 }) ?? true
                else { continue }
                if seen.insert(next).inserted { parts.append(next) }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Parts/OutgoingPart.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func earlyBytesAreReturnedOnce() {
        var part = Self.sending()
        #expect(part.handed(40) == false)
        #expect(part.bytesToHand == 60)
        #expect(part.takeEarlyBytes() == 40)
        #expect(part.takeEarlyBytes() == 0)
    }

    @Test func aGrantBeyondThePartIsCut() {
        var part = Self.sending()
        #expect(part.granted(from: 30, limit: .max) == .send)
        #expect(part.bytesToHand == 70 && part.bytesToTake == 70 && part.reached == 30)
        #expect(part.takeEarlyBytes() == 0)
        #expect(part.raised(to: .max) == .send)
        #expect(part.granted(from: .max, limit: 0) == .whole)
    }

    @Test func aChunkOfAnEarlierOfferDoesNotCount() {
        var part = Self.sending()
        #expect(part.handed(50) == false)
        part.withdraw(notBefore: Self.now)
        part.begin(OutgoingPart.Offer(OfferID(2), in: Self.place))
        #expect(part.taken(upTo: 50, of: Self.offer) == nil)
        #expect(part.handed(100) == true)
        let taken = part.taken(upTo: 100, of: OfferID(2))
        #expect(taken?.isProgress == true && taken?.isWhole == true)
    }

    @Test func onlyNewGroundIsProgress() {
        var part = Self.sending()
        #expect(part.taken(upTo: 50, of: Self.offer)?.isProgress == true)
        part.withdraw(notBefore: Self.now)
        part.begin(OutgoingPart.Offer(OfferID(2), in: Self.place))
        #expect(part.taken(upTo: 50, of: OfferID(2))?.isProgress == false)
        #expect(part.taken(upTo: 60, of: OfferID(2))?.isProgress == true)
    }

    @Test func aPartThatWaitsForTheStoreIsWoken() {
        var part = Self.sending()
        part.withdraw(notBefore: Self.now + .seconds(9), waitsForStore: true)
        #expect(part.digestsToOffer(at: Self.now) == nil)
        #expect(part.storeIsWell(now: Self.now) == true)
        #expect(part.digestsToOffer(at: Self.now) == Self.digests)
        #expect(part.storeIsWell(now: Self.now) == false)
    }

    /// Data that arrives for the first time sets the count of failures to zero. Repeated data does not: otherwise the
    /// agent would send a part without a pause if a gateway accepts and drops it again and again.
    @Test func dataThatArrivesForTheFirstTimeEndsTheRowOfFailures() {
        var part = Self.sending()
        part.failures = 5
        #expect(part.arrived(upTo: 50) && part.failures == 0)
        part.failures = 5
        #expect(!part.arrived(upTo: 50) && part.failures == 5)
        part.withdraw(notBefore: Self.now)
        #expect(!part.arrived(upTo: 80) && part.failures == 5, "no offer is in use")
        part.begin(OutgoingPart.Offer(OfferID(2), in: Self.place))
        #expect(!part.arrived(upTo: 40) && part.failures == 5)
        #expect(part.arrived(upTo: 51) && part.failures == 0)
    }
}
