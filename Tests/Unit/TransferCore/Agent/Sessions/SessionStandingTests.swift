import Testing
import TransferCommon
import TransferCore

@Suite struct SessionStandingTests {
    private static let id = SessionID(high: 1, low: 1)

    @Test func aTokenBelongsToASessionThatAGatewayKnows() {
        var standing = SessionStanding.none
        standing.take([1])
        #expect(standing == .none && standing.id == nil && standing.token.isEmpty)
        standing = .chosen(Self.id)
        standing.take([1])
        #expect(standing == .chosen(Self.id) && !standing.isKnown)
        standing.opens()
        #expect(standing == .opened(Self.id, token: []) && standing.isKnown)
        standing.take([1])
        #expect(standing == .opened(Self.id, token: [1]))
        standing.opens()
        #expect(standing.token == [1] && standing.id == Self.id)
    }

    @Test func onlyTheFirstCompletionIsCertainlyTheFirst() {
        var standing = SessionStanding.opened(Self.id, token: [1])
        let results = [standing.completes(), standing.completes()]
        #expect(results == [true, false])
        standing.take([2])
        #expect(standing == .completed(Self.id, token: [2]))
    }
}
