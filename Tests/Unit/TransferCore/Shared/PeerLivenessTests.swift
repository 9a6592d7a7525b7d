import RepositoryFiles
import Testing
import TransferCommon
import TransferCore

@Suite struct PeerLivenessTests {
    private static let limit = Duration.seconds(60)

    private static func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    private static func name(of state: PeerLiveness.State) -> String {
        switch state {
        case .heard: "heard"
        case .pinged: "pinged"
        case .lost: "lost"
        }
    }

    private static var pinged: PeerLiveness {
        var liveness = PeerLiveness(now: at(0))
        _ = liveness.tick(idleLimit: limit, now: at(20))
        return liveness
    }

    private static var lost: PeerLiveness {
        var liveness = PeerLiveness(now: at(0))
        _ = liveness.tick(idleLimit: limit, now: at(60))
        return liveness
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = []
        for liveness in [PeerLiveness(now: Self.at(0)), Self.pinged, Self.lost] {
            for second in [21, 40, 60] as [Int64] {
                var (heard, ticked) = (liveness, liveness)
                heard.heard(now: Self.at(second))
                _ = ticked.tick(idleLimit: Self.limit, now: Self.at(second))
                for next in [heard, ticked] where next != liveness {
                    changes.insert(
                        TransitionTable.Row(from: Self.name(of: liveness.state), to: Self.name(of: next.state)))
                }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Shared/PeerLiveness.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func pingsAfterEachThirdAndClosesAtTheLimit() {
        var liveness = PeerLiveness(now: Self.at(0))
        var told: [PeerLiveness.OnTick] = []
        for second in [19, 20, 39, 40, 59, 60, 61] as [Int64] {
            told.append(liveness.tick(idleLimit: Self.limit, now: Self.at(second)))
        }
        #expect(told == [.wait, .sendPing, .wait, .sendPing, .wait, .close, .wait])
        #expect(liveness.nextDeadline(idleLimit: Self.limit) == nil)
    }

    @Test func anythingHeardBeginsAllLimitsAgain() {
        var liveness = Self.pinged
        #expect(liveness.nextDeadline(idleLimit: Self.limit) == Self.at(40))
        liveness.heard(now: Self.at(25))
        #expect(liveness.nextDeadline(idleLimit: Self.limit) == Self.at(45))
        #expect(liveness.tick(idleLimit: Self.limit, now: Self.at(60)) == .sendPing)
        #expect(liveness.tick(idleLimit: Self.limit, now: Self.at(84)) == .sendPing)
        #expect(liveness.tick(idleLimit: Self.limit, now: Self.at(85)) == .close)
    }

    /// PING is sent after a third of the idle limit. If nothing has arrived within half of the limit, the peer does not
    /// count as heard.
    @Test func peerThatDoesNotAnswerPingIsNotHeard() {
        var liveness = PeerLiveness(now: Self.at(0))
        #expect(liveness.isHeard(idleLimit: Self.limit, now: Self.at(20)))
        #expect(liveness.tick(idleLimit: Self.limit, now: Self.at(20)) == .sendPing)
        #expect(liveness.isHeard(idleLimit: Self.limit, now: Self.at(29)))
        #expect(!liveness.isHeard(idleLimit: Self.limit, now: Self.at(30)))
        liveness.heard(now: Self.at(31))
        #expect(liveness.isHeard(idleLimit: Self.limit, now: Self.at(31)))
        #expect(!Self.lost.isHeard(idleLimit: Self.limit, now: Self.at(61)))
    }

    @Test func lostPeerStaysLost() {
        var liveness = Self.lost
        liveness.heard(now: Self.at(61))
        #expect(liveness == Self.lost)
    }
}
