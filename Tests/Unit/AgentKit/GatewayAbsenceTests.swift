import AgentKit
import Foundation
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of when, and in which words, the user learns that a run waits for a gateway.
@Suite struct GatewayAbsenceTests {
    private static func moment(_ seconds: Double) -> Instant { Instant(nanoseconds: UInt64(seconds * 1e9)) }

    /// Returns the seconds of the notices, for a shell that calls `notice` twice a second.
    private static func notices(for seconds: Int, _ isAway: (Double) -> Bool) -> [Double] {
        var absence = GatewayAbsence()
        return (0...(2 * seconds)).map { Double($0) / 2 }.filter { second in
            let until = isAway(second) ? moment(300) : nil
            return absence.notice(of: until.map { RunWait(until: $0) }, now: moment(second)) != nil
        }
    }

    @Test func noticesComeSoonAndThenOnceAMinute() {
        #expect(Self.notices(for: 200) { _ in true } == [1.5, 61.5, 121.5, 181.5])
        #expect(GatewayAbsence.firstNotice < .seconds(2))
    }

    @Test(arguments: [
        ([0.0..<0.0], []), ([10.0..<11.0], []),
        ([0.0..<5.0, 100.0..<105.0], [1.5, 101.5]), ([0.0..<5.0, 20.0..<25.0], [1.5]),
        // The second absence lasts until a minute after the notice of the first.
        ([0.0..<5.0, 20.0..<90.0], [1.5, 61.5]),
    ])
    func shortAbsencesCauseFewNotices(away: [Range<Double>], notices: [Double]) {
        #expect(Self.notices(for: 150) { second in away.contains { $0.contains(second) } } == notices)
    }

    @Test func deadlineIsThatOfTheNextNotice() {
        var absence = GatewayAbsence()
        #expect(absence.nextDeadline == nil)
        _ = absence.notice(of: RunWait(until: Self.moment(300)), now: Self.moment(10))
        #expect(absence.nextDeadline == Self.moment(11.5))
        _ = absence.notice(of: RunWait(until: Self.moment(300)), now: Self.moment(12))
        #expect(absence.nextDeadline == Self.moment(72))
        _ = absence.notice(of: nil, now: Self.moment(13))
        #expect(absence.nextDeadline == nil)
    }

    @Test func reasonIsThatOfTheLastAttempt() {
        var absence = GatewayAbsence()
        absence.connectionFailed(ConnectionID(1), "ignored, because no gateway is missed")
        _ = absence.notice(of: RunWait(until: Self.moment(300)), now: Self.moment(0))
        let first = absence.notice(of: RunWait(until: Self.moment(300)), now: Self.moment(2))
        #expect(first == GatewayAbsence.Notice(reason: "no answer yet", rest: .seconds(298)))
        absence.connectionFailed(ConnectionID(1), "connection reset by peer")
        absence.connectionFailed(ConnectionID(2), "connection refused")
        let second = absence.notice(of: RunWait(until: Self.moment(300)), now: Self.moment(62))
        #expect(second?.reason == "connection refused")
    }

    /// The gateway says why it ends a connection, while the run does not wait yet. Then the connection ends.
    @Test func endOfAConnectionKeepsTheReasonThatTheGatewayGave() {
        var absence = GatewayAbsence()
        absence.connectionEnds(ConnectionID(1), "the gateway closed the connection: it is stopping")
        _ = absence.notice(of: RunWait(until: Self.moment(300)), now: Self.moment(0))
        absence.connectionFailed(ConnectionID(1), "the connection has ended")
        #expect(absence.reason == "the gateway closed the connection: it is stopping")
        absence.connectionFailed(ConnectionID(2), "connection refused")
        #expect(absence.reason == "connection refused")
    }

    @Test(arguments: [
        ("a.example", 60, NextStep.push, "a.example:7420", "00:01:00Z, then ends, and the same push continues later"),
        ("::1", 60, .pushOrResume, "[::1]:7420", "00:01:00Z, then keeps the uploads for resume"),
        ("h", 60, .pushStream, "h:7420", "00:01:00Z, then gives the stream up"),
        ("h", 60, .drop, "h:7420", "00:01:00Z, then leaves the drop to the next push or resume"),
        ("h", 2 * 86_400, .check, "h:7420", "1970-01-03 00:00:00Z, then ends"),
    ])
    func sentenceSaysWhatFollows(host: String, rest: Int, step: NextStep, address: String, end: String) {
        let notice = GatewayAbsence.Notice(reason: "connection refused", rest: .seconds(rest))
        let sentence = notice.sentence((host, 7_420), now: Date(timeIntervalSince1970: 0), then: step)
        let start = "waiting for gateway \(address): connection refused; tries again until \(end)"
        #expect(sentence.hasPrefix(start), "\(sentence)")
    }
}

extension GatewayAbsenceTests {
    /// While a gateway is connected, it says itself why the run waits.
    @Test func refusalOfAConnectedGatewayIsTheReason() {
        var absence = GatewayAbsence()
        let full = RunWait(until: Self.moment(300), refusal: GatewayRefusal(.storeFull, message: "The store is full."))
        let early = absence.notice(of: full, now: Self.moment(0))
        #expect(early == nil)
        let notice = absence.notice(of: full, now: Self.moment(2))
        #expect(notice == GatewayAbsence.Notice(reason: "the store is full", rest: .seconds(298), isConnected: true))
        let sentence = notice?.sentence(("h", 7_420), now: Date(timeIntervalSince1970: 0), then: .push)
        #expect(
            sentence
                == "waiting: the store is full; tries again until 00:04:58Z, then ends, and the same push continues "
                + "later"
        )
        let silent = RunWait(until: Self.moment(300), refusal: GatewayRefusal(.busy))
        let later = absence.notice(of: silent, now: Self.moment(62))
        #expect(later?.reason == "the gateway has no room for it now")
    }
}
