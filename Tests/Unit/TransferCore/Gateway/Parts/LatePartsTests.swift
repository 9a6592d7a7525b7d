import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct LatePartsTests {
    private static let call = StoreRequestID(7)
    private static let digest = ToyDigest.sha256([1])
    private static let losses: [StoreError] = [
        .unavailable(retryAfter: .zero), .outcomeUnknown, StoreError(.damaged),
    ]

    @Test func callThatWasGivenUpMayLandUntilItIsAnswered() {
        var late = LateParts()
        late.gaveUp(Self.call, digest: Self.digest)
        #expect(late.mayLand && late.mayArrive)
        #expect(late.answered(StoreRequestID(8), .done) == nil && late.mayLand)
        #expect(late.answered(Self.call, .failed(.cancelled)) == Self.digest)
        #expect(!late.mayLand && !late.mayArrive)
    }

    @Test(arguments: losses)
    func lostCallMayArriveAtAnyTime(error: StoreError) {
        var late = LateParts()
        late.gaveUp(Self.call, digest: Self.digest)
        _ = late.answered(Self.call, .failed(error))
        #expect(!late.mayLand && late.mayArrive)
        var ended = LateParts()
        ended.ended(.failed(error))
        #expect(ended.mayArrive)
        ended.ended(.partStored(etag: "e"))
        #expect(ended.mayArrive, "a later answer says nothing of the earlier call")
    }

    /// An agent aborts a session of several parts while a part is on its way. The record of the session stays if the
    /// store may still take the part.
    @Test(arguments: losses + [.cancelled])
    func recordStaysForAPartThatMayArrive(error: StoreError) throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        let token = try #require(driver.tokens.last)
        driver.frame(.abort(Abort(token: token)), slot: Slot(2))
        #expect(driver.requests.map(\.request.kind) == [.storePart, .abort])
        driver.answer(.failed(error))
        driver.answer(.done)
        #expect(frames(driver.answer(.parts([]))) == [.aborted(Aborted())])
        #expect(driver.requests.map(\.request.kind) == (error == .cancelled ? [.removeRecord] : []))
    }
}
