import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct IncomingPartTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let slot = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))
    private static let otherSlot = TransferCore.Attachment(connection: ConnectionID(2), slot: Slot(1))
    private static let call = StoreRequestID(7)

    private static func waiting(holdsTail: Bool = false) throws -> IncomingPart {
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        return IncomingPart(offer: offer, owner: slot, flow: FlowID(1), holdsTail: holdsTail)
    }

    private static func sending(holdsTail: Bool = false, bytesFirst: UInt64 = .max) throws -> IncomingPart {
        var part = try waiting(holdsTail: holdsTail)
        part.decided(call: call, condition: .none, reserved: 400, bytesFirst: bytesFirst)
        return part
    }

    private static func name(of part: IncomingPart) -> String {
        switch part.phase {
        case .waiting: "waiting"
        case .sending: part.owner == nil ? "orphaned" : "sending"
        }
    }

    private static func header(_ offset: UInt64, _ bytes: UInt32) throws -> PartDataHeader {
        PartDataHeader(
            part: try #require(PartNumber(1)), offset: offset, plainBytes: bytes, isCompressed: false,
            payloadBytes: bytes)
    }

    @discardableResult
    private static func data(
        _ offset: UInt64, _ bytes: UInt32, to part: inout IncomingPart, undecidedBytes: UInt64 = 0
    ) throws -> IncomingPart.OnData {
        let result = part.receivedData(
            try header(offset, bytes), creditBytes: 300, undecidedBytes: undecidedBytes)
        if case .accept(let skip) = result { #expect(part.receivedBytes(UInt64(bytes) - skip) == true) }
        return result
    }

    @Test func theTableIsTrue() throws {
        var orphaned = try Self.sending()
        #expect(orphaned.connectionLost(now: Self.now) == Self.call)
        var released = try Self.sending(holdsTail: true)
        released.completed()
        released.released()
        // The session can drop a part in every phase.
        var changes = Set(["waiting", "sending", "orphaned"].map { TransitionTable.Row(from: $0, to: "dropped") })
        for part in [try Self.waiting(), try Self.sending(), orphaned, released] {
            var (decided, taken, named, lost) = (part, part, part, part)
            decided.decided(call: Self.call, condition: .none, reserved: 400, bytesFirst: .max)
            if !part.isUndecided { taken.takenOver(by: Self.otherSlot) }
            if part.owner == nil { named.named(to: Self.otherSlot) }
            for next in [decided, taken, named] where next != part {
                changes.insert(TransitionTable.Row(from: Self.name(of: part), to: Self.name(of: next)))
            }
            guard part.owner != nil else { continue }
            let isKept = lost.connectionLost(now: Self.now) != nil
            changes.insert(
                TransitionTable.Row(from: Self.name(of: part), to: isKept ? Self.name(of: lost) : "dropped"))
        }
        let rows = Set(try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Parts/IncomingPart.swift"))
        #expect(rows == changes)
    }

    @Test func undecidedBytesStayWithinTheInitialCredit() throws {
        var part = try Self.waiting()
        #expect(try Self.data(0, 200, to: &part) == .accept(skip: 0))
        #expect(
            try Self.data(200, 101, to: &part, undecidedBytes: 200)
                == .violation(.creditExceeded, "200 bytes are undecided, of at most 300"))
        #expect(part.limit == 0 && part.bytesReserved == 0)
    }

    @Test func dataContinueTheirPartWithinTheLimit() throws {
        var part = try Self.sending()
        #expect(try Self.data(0, 100, to: &part) == .accept(skip: 0))
        #expect(try Self.data(50, 100, to: &part) == .accept(skip: 50))
        #expect(try Self.data(0, 150, to: &part) == .discard)
        #expect(try Self.data(151, 100, to: &part) == .violation(.offsetGap, "150 bytes are there"))
        #expect(try Self.data(150, 251, to: &part) == .violation(.creditExceeded, "the limit is 400"))
        #expect(try Self.data(150, 900, to: &part) == .violation(.creditExceeded, "the part has 1000 bytes"))
    }

    /// While the gateway doubts the store, it first grants only few bytes of a part. The agent may already have sent
    /// more within the initial credit, before it read the decision. The gateway accepts those bytes too.
    @Test func initialCreditCountsBeyondACautiousLimit() throws {
        var part = try Self.sending(bytesFirst: 10)
        #expect(part.limit == 10)
        #expect(try Self.data(0, 300, to: &part) == .accept(skip: 0))
        part.named(to: Self.otherSlot)
        #expect(part.limit == 300 && part.owner == Self.otherSlot)
    }

    @Test func theLimitRisesAsTheStoreTakesBytes() throws {
        var part = try Self.sending()
        try Self.data(0, 400, to: &part)
        #expect(part.consumed(401, heldBytesMax: 0, window: 400) == nil)
        let small = part.consumed(99, heldBytesMax: 0, window: 400)
        #expect(small == IncomingPart.OnConsumed() && part.limit == 400)
        let raised = part.consumed(100, heldBytesMax: 0, window: 400)
        #expect(raised?.isLimitRaised == true && part.limit == 500)
        try Self.data(400, 100, to: &part)
        #expect(part.consumed(500, heldBytesMax: 0, window: 400)?.isLimitRaised == true)
        #expect(part.limit == 900 && part.bytesReserved == 400)
        try Self.data(500, 400, to: &part)
        let last = part.consumed(900, heldBytesMax: 0, window: 400)
        #expect(last?.bytesReleased == 300 && part.bytesReserved == 100 && part.limit == 1_000)
        try Self.data(900, 100, to: &part)
        #expect(part.consumed(1_000, heldBytesMax: 0, window: 400)?.handedOver == Self.call)
        #expect(part.bytesReserved == 0)
    }

    @Test func orphanIsGivenUpAfterTheGraceUnlessItIsWhole() throws {
        for (holdsTail, isGivenUp) in [(false, false), (true, true)] {
            var part = try Self.waiting(holdsTail: holdsTail)
            part.decided(call: Self.call, condition: .none, reserved: 1_000, bytesFirst: .max)
            try Self.data(0, 999, to: &part)
            #expect(part.nextDeadline(grace: .seconds(10)) == nil)
            #expect(part.connectionLost(now: Self.now) != nil)
            #expect(part.nextDeadline(grace: .seconds(10)) == Self.now + .seconds(10))
            part.takenOver(by: Self.otherSlot)
            try Self.data(999, 1, to: &part)
            #expect(part.connectionLost(now: Self.now) != nil)
            #expect((part.nextDeadline(grace: .seconds(10)) != nil) == isGivenUp)
        }
    }

    private static func name(of tail: IncomingPart.Tail) -> String {
        switch tail {
        case .unheld: "unheld"
        case .held: "held"
        case .wanted: "wanted"
        case .looking: "looking"
        case .lookingInVain: "lookingInVain"
        case .released: "released"
        }
    }

    /// The tail of a part is its last bytes, which the gateway holds back until COMPLETE. The state of the tail changes
    /// exactly as the rows below say.
    @Test func theTableOfTheTailIsTrue() throws {
        let events: [(inout IncomingPart) -> Void] = [
            { $0.completed() }, { $0.completionVoided() }, { $0.looks(StoreRequestID(8)) }, { $0.looked() },
            { $0.released() }, { _ = $0.connectionLost(now: Self.now) },
        ]
        var (seen, next): (Set<IncomingPart>, [IncomingPart]) = ([], [try Self.sending(holdsTail: true)])
        var changes: Set<TransitionTable.Row> = []
        while let part = next.popLast() {
            guard seen.insert(part).inserted else { continue }
            for event in events {
                var changed = part
                event(&changed)
                next.append(changed)
                guard changed.tail != part.tail else { continue }
                changes.insert(TransitionTable.Row(from: Self.name(of: part.tail), to: Self.name(of: changed.tail)))
            }
        }
        let rows: Set<TransitionTable.Row> = [
            .init(from: "held", to: "wanted"), .init(from: "wanted", to: "held"),
            .init(from: "wanted", to: "looking"), .init(from: "wanted", to: "released"),
            .init(from: "looking", to: "lookingInVain"), .init(from: "looking", to: "released"),
            .init(from: "lookingInVain", to: "looking"), .init(from: "lookingInVain", to: "held"),
        ]
        #expect(changes == rows)
    }

    @Test func aReleasedTailIsNotHeldAgain() throws {
        var part = try Self.sending(holdsTail: true)
        part.completed()
        part.looks(StoreRequestID(8))
        #expect(part.look == StoreRequestID(8))
        part.looked()
        part.completionVoided()
        #expect(part.tail == .released && part.look == nil)
        #expect(part.connectionLost(now: Self.now) == nil)
    }

    @Test func onlyAPartThatItsAgentCanMoveIsMeasured() throws {
        var part = try Self.sending()
        #expect(part.measure() == nil)
        try Self.data(0, 100, to: &part)
        #expect(part.measure() == ProgressCheck.Gain(bytes: 100, creditBytes: 400))
        try Self.data(100, 300, to: &part)
        #expect(part.creditToUse == 0 && part.measure() == nil)
        var whole = try Self.waiting(holdsTail: true)
        whole.decided(call: Self.call, condition: .none, reserved: 1_000, bytesFirst: .max)
        try Self.data(0, 1_000, to: &whole)
        #expect(whole.creditToUse == 1)
    }
}
