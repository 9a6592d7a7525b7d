import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of the order of chunks: which part of a connection sends the next chunk, and which connection does.
@Suite struct TurnTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static func part(_ number: UInt32, of upload: Int64 = 1) throws -> UploadPart {
        UploadPart(upload: UploadID(upload), part: try #require(PartNumber(number)))
    }

    // MARK: Parts

    @Test func partsTakeTurns() throws {
        let (first, second) = (try Self.part(1), try Self.part(2))
        var turns = PartTurns()
        turns.add(first)
        turns.add(second)
        turns.add(first)
        #expect(turns.takeNext(initialCredit: 0) == first)
        turns.putLast(first)
        #expect(turns.takeNext(initialCredit: 0) == second)
        #expect(turns.takeNext(initialCredit: 0) == first)
        #expect(turns.takeNext(initialCredit: 0) == nil && turns.isEmpty)
    }

    @Test func anUndecidedPartWaitsForCredit() throws {
        let part = try Self.part(1)
        var turns = PartTurns()
        turns.spendCredit(500)
        turns.awaitCredit(part)
        #expect(turns.creditLeft(initialCredit: 500) == 0 && turns.creditLeft(initialCredit: 600) == 100)
        #expect(turns.takeNext(initialCredit: 500) == nil && !turns.isEmpty)
        turns.returnCredit(200)
        #expect(turns.takeNext(initialCredit: 500) == part)
        // Returning more credit than was spent only brings the spent credit back to zero.
        turns.returnCredit(1_000)
        #expect(turns.undecidedBytes == 0)
    }

    @Test func anUploadLosesItsTurns() throws {
        let (own, other) = (try Self.part(1), try Self.part(1, of: 2))
        var turns = PartTurns()
        turns.add(own)
        turns.add(other)
        turns.awaitCredit(try Self.part(2))
        turns.removeAll(of: own.upload)
        #expect(turns.sending == [other] && turns.awaitingCredit.isEmpty)
        turns.remove(other)
        #expect(turns.isEmpty)
    }

    // MARK: Connections

    @Test func connectionsShareALimitedRate() {
        let connections = [1, 2, 3].map { ConnectionID($0) }
        var pacer = ChunkPacer(bytesPerSecond: 1_000, now: Self.now)
        #expect(pacer.isLimited && pacer.maySend(at: Self.now))
        pacer.sent(100, on: connections[0], now: Self.now)
        #expect(!pacer.maySend(at: Self.now) && pacer.nextDeadline(now: Self.now) != nil)
        var round = pacer.round(of: connections)
        var order: [ConnectionID] = []
        while let next = round.next {
            order.append(next)
            round.tookTurn(hasSent: order.count <= 2)
        }
        #expect(order.map(\.value) == [2, 3, 1, 2, 3])
    }

    @Test func theSizeOnTheWireCounts() {
        var pacer = ChunkPacer(bytesPerSecond: 1_000, now: Self.now)
        pacer.sent(100, on: ConnectionID(1), now: Self.now)
        pacer.encoded(plainBytes: 100, wireBytes: 0, now: Self.now)
        #expect(pacer.maySend(at: Self.now))
        pacer.sent(100, on: ConnectionID(1), now: Self.now)
        pacer.failed(plainBytes: 100, now: Self.now)
        #expect(pacer.maySend(at: Self.now) && pacer.nextDeadline(now: Self.now) == nil)
    }

    @Test func withoutALimitChunksNeverWait() {
        var pacer = ChunkPacer(bytesPerSecond: nil, now: Self.now)
        pacer.sent(.max, on: ConnectionID(1), now: Self.now)
        #expect(!pacer.isLimited && pacer.maySend(at: Self.now))
    }

    @Test func anotherLimitHoldsFromNowOn() {
        var pacer = ChunkPacer(bytesPerSecond: 10, now: Self.now)
        pacer.sent(1_000, on: ConnectionID(1), now: Self.now)
        pacer.limit(to: nil, now: Self.now)
        #expect(pacer.maySend(at: Self.now), "what was sent under the earlier limit does not count")
        pacer.limit(to: 1_000, now: Self.now)
        pacer.sent(1_000, on: ConnectionID(1), now: Self.now)
        #expect(!pacer.maySend(at: Self.now))
        pacer.limit(to: 1_000, now: Self.now)
        #expect(!pacer.maySend(at: Self.now), "the same limit again must allow no further burst")
    }

    // MARK: Stopping

    @Test func smallRestsAreFinishedFirst() throws {
        let rests = [
            SendRest(part: try Self.part(1), bytes: 600), SendRest(part: try Self.part(2), bytes: 300),
            SendRest(part: try Self.part(3), bytes: 200),
        ]
        let chosen = rests.finishable(rate: 200, within: 3)
        #expect(chosen.map(\.part.value) == [3, 2])
        // Before the agent has measured a rate, it assumes that it can finish every part in time.
        #expect(rests.finishable(rate: 0, within: 3).count == 3)
    }
}
