import SecureChannel
import Testing

@Suite struct ClosingPatienceTests {
    @Test func connectionStaysOpenWhileBytesAreTaken() {
        var patience = ClosingPatience(unsentByteCount: 1_000, TLSLimits())
        let answers = [900, 500, 499, 499].map { patience.periodPassed(unsentByteCount: $0) }
        #expect(answers == [true, true, true, false])
    }

    @Test func goodbyeMustArriveWithinAPeriod() {
        var patience = ClosingPatience(unsentByteCount: 0, TLSLimits())
        let goesOn = patience.periodPassed(unsentByteCount: 0)
        #expect(!goesOn)
    }

    /// A peer that takes one byte in each period does not keep the connection open without end.
    @Test func periodsAreLimited() {
        var patience = ClosingPatience(unsentByteCount: 1_000, TLSLimits())
        let answers = (1...5).map { patience.periodPassed(unsentByteCount: 1_000 - $0) }
        #expect(answers == [true, true, true, true, false])
    }
}
