import Testing
import sluice_agent

/// Tests of how much progress is printed as JSON, and of the rate in it.
@Suite struct ProgressPaceTests {
    private static let start = ContinuousClock.now

    private static func moment(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    @Test func fourLinesASecondAtMost() {
        var pace = ProgressPace()
        var taken: [Int] = []
        // Parts move every 10 ms, and with every tenth part the file.
        for milliseconds in stride(from: 0, to: 10_000, by: 10) {
            if pace.takes(.part, at: Self.moment(milliseconds)) { taken.append(milliseconds) }
            if milliseconds.isMultiple(of: 100), pace.takes(.file, at: Self.moment(milliseconds)) {
                taken.append(milliseconds)
            }
        }
        for start in taken { #expect(taken.count { (start..<start + 1_000).contains($0) } <= 4) }
        #expect(taken.count > 25)
    }

    private static func taken(_ moves: [(ProgressPace.Kind, Int)]) -> [Bool] {
        var pace = ProgressPace()
        return moves.map { kind, milliseconds in pace.takes(kind, at: moment(milliseconds)) }
    }

    @Test func partsLeaveRoomForFiles() {
        let taken = Self.taken([(.part, 0), (.part, 250), (.file, 250), (.part, 499), (.part, 500)])
        #expect(taken == [true, false, true, false, true])
    }

    @Test func oneKindAloneComesTwiceASecond() {
        #expect(Self.taken([(.part, 0), (.part, 499), (.part, 500)]) == [true, false, true])
    }

    @Test func rateCountsAllFiles() {
        var rate = StoredRate()
        rate.observe(1_000, ofKey: "a")
        let first = rate.next(at: Self.moment(0))
        rate.observe(3_000, ofKey: "a")
        rate.observe(500, ofKey: "b")
        rate.ended("b")
        let second = rate.next(at: Self.moment(500))
        // The store has lost a part.
        rate.observe(2_000, ofKey: "a")
        let third = rate.next(at: Self.moment(1_000))
        #expect(first == nil && second == 5_000 && third == 0)
    }

    @Test func endedFilesNeedNoMemory() {
        var rate = StoredRate()
        for number in 0..<10_000 {
            rate.observe(1, ofKey: "\(number)")
            rate.ended("\(number)")
        }
        #expect(rate.fileCount == 0)
    }
}
