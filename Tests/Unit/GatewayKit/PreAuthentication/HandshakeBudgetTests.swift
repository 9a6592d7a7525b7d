import GatewayKit
import Testing
import TransferCommon

/// Tests of the budget that decides which peers may begin a handshake, and when.
@Suite struct HandshakeBudgetTests {
    private static func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    private static func makeBudget() -> HandshakeBudget {
        HandshakeBudget(.init(atOnce: 4, perSecond: 20, perAddressAtOnce: 2, perAddressPerSecond: 10))
    }

    private static func ticket(_ arrival: HandshakeBudget.OnArrival) throws -> HandshakeBudget.Ticket {
        guard case .wait(let ticket) = arrival else { throw Unexpected() }
        return ticket
    }

    private struct Unexpected: Error {}

    @Test func addressBeyondItsLimitWaitsForItsNextToken() throws {
        var budget = Self.makeBudget()
        #expect(budget.arrived(from: "a", now: Self.at(0)) == .begin)
        #expect(budget.arrived(from: "a", now: Self.at(0)) == .begin)
        #expect(budget.nextDeadline == nil)
        let third = try Self.ticket(budget.arrived(from: "a", now: Self.at(0)))
        let fourth = try Self.ticket(budget.arrived(from: "a", now: Self.at(0)))
        #expect(budget.nextDeadline == Self.at(100))
        #expect(budget.takeDue(now: Self.at(50)) == [])
        #expect(budget.takeDue(now: Self.at(100)) == [third])
        #expect(budget.nextDeadline == Self.at(200))
        #expect(budget.takeDue(now: Self.at(1_000)) == [fourth])
        #expect(budget.nextDeadline == nil)
        #expect(budget.waitingCount == 0)
    }

    @Test func addressesTakeTurns() throws {
        var budget = Self.makeBudget()
        for _ in 0..<2 { #expect(budget.arrived(from: "crowd", now: Self.at(0)) == .begin) }
        let crowd = try (0..<50).map { _ in try Self.ticket(budget.arrived(from: "crowd", now: Self.at(0))) }
        let honest = try Self.ticket(budget.arrived(from: "honest", now: Self.at(1)))
        #expect(budget.nextDeadline == Self.at(1))
        #expect(budget.takeDue(now: Self.at(1)) == [honest])
        #expect(budget.takeDue(now: Self.at(100)) == [crowd[0]])
    }

    @Test func commonLimitHolds() throws {
        var budget = Self.makeBudget()
        var begun = 0
        for number in 0..<100 where budget.arrived(from: "\(number)", now: Self.at(0)) == .begin { begun += 1 }
        #expect(begun == 4)
        #expect(budget.waitingCount == 96)
        for moment in stride(from: 0, through: 1_000, by: 10) { begun += budget.takeDue(now: Self.at(moment)).count }
        #expect(begun == 24)
        #expect(budget.waitingCount == 76)
    }

    @Test func crowdedAddressTakesNothingFromTheOthers() throws {
        var budget = Self.makeBudget()
        for _ in 0..<2 { #expect(budget.arrived(from: "crowd", now: Self.at(0)) == .begin) }
        _ = try Self.ticket(budget.arrived(from: "crowd", now: Self.at(0)))
        // Nothing is due, because the peers of this address wait for a token of their address. No call of `takeDue` may
        // use up a common token.
        for _ in 0..<5 { #expect(budget.takeDue(now: Self.at(0)) == []) }
        let others = try ["a", "b"].map { try Self.ticket(budget.arrived(from: $0, now: Self.at(0))) }
        #expect(budget.takeDue(now: Self.at(0)) == others)
    }

    @Test func peerThatLeavesTakesNoToken() throws {
        var budget = Self.makeBudget()
        for _ in 0..<2 { _ = budget.arrived(from: "a", now: Self.at(0)) }
        let tickets = try (0..<3).map { _ in try Self.ticket(budget.arrived(from: "a", now: Self.at(0))) }
        budget.left(tickets[0])
        budget.left(tickets[0])
        budget.left(tickets[2])
        #expect(budget.takeDue(now: Self.at(100)) == [tickets[1]])
        budget.left(tickets[1])
        #expect(budget.nextDeadline == nil)
        let last = try Self.ticket(budget.arrived(from: "a", now: Self.at(100)))
        budget.left(last)
        #expect(budget.nextDeadline == nil)
        #expect(budget.takeDue(now: Self.at(9_000)) == [])
    }

    /// To peers of this machine only the common limit applies.
    @Test func unlimitedPeersUseTheCommonLimit() {
        var budget = Self.makeBudget()
        let begun = (0..<10).filter { _ in
            budget.arrived(from: "127.0.0.1", isLimited: false, now: Self.at(0)) == .begin
        }
        #expect(begun.count == 4)
        #expect(budget.waitingCount == 6)
    }

    /// However many addresses ask, the budget forgets those that have all their tokens again.
    @Test func idleAddressesAreForgotten() {
        var budget = HandshakeBudget()
        for number in 0..<100_000 {
            if case .wait(let ticket) = budget.arrived(from: "\(number)", now: Self.at(number)) { budget.left(ticket) }
        }
        #expect(budget.addressCount < 10_000)
        #expect(budget.waitingCount == 0)
    }
}
