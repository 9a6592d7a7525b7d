import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Several slots can have one session open. Each slot receives only the frames about its own requests and parts, and
/// one final frame when the session ends (§6.1).
@Suite struct JoinedSessionTests {
    private static let sender = GatewayDriver.connection

    /// A driver whose session is open in four slots. One slot sends a part, two have sent COMPLETE, and one has resumed
    /// the session during the completion.
    private static func driver() throws -> (driver: GatewayDriver, completing: [ConnectionID]) {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        let first = driver.join().id
        let second = driver.join().id
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)), from: first)
        driver.frame(.complete(GatewayDriver.complete(2_500)), from: first)
        // The gateway does not check the second COMPLETE, because it is still handling the first.
        #expect(frames(driver.frame(.complete(GatewayDriver.complete(900)), from: second)).isEmpty)
        let third = driver.join()
        #expect(third.told.map(\.type) == [.resumeState])
        return (driver, [first, second, third.id])
    }

    @Test func partsWantedGoesToEverySlotThatIsCompleting() throws {
        var (driver, completing) = try Self.driver()
        driver.answer(.parts([]))
        let told = driver.answer(.failed(.partsInvalid([try #require(PartNumber(2))])))
        for id in completing { #expect(frames(told, to: id).map(\.type) == [.partsWanted]) }
        #expect(frames(told, to: Self.sender).isEmpty)
        // The slots that received PARTS WANTED are open again and accept an offer.
        for id in completing {
            let offer = try #require(GatewayDriver.offer(2, of: 2_500))
            #expect(frames(driver.frame(.partOffer(offer), from: id), to: id).map(\.type) == [.partDecision])
        }
    }

    @Test func answersGoToTheSlotOfTheLastOffer() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        let second = driver.join().id
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        driver.frame(.partOffer(offer))
        let moved = driver.frame(.partOffer(offer), from: second)
        #expect(frames(moved, to: second).map(\.type) == [.partDecision])
        let failed = driver.answer(.failed(.unavailable(retryAfter: .zero)))
        #expect(frames(failed).map(\.type) == [.error])
        #expect(frames(failed, to: second).count == 1)
    }

    /// An offer that was delayed on one connection arrives after the offer with which the agent moved the part to
    /// another connection. The agent waits there, so the gateway asks it there to offer the part again.
    @Test(arguments: [true, false])
    func formerSlotIsAskedToOfferThePartAgain(isOnePart: Bool) throws {
        var driver = GatewayDriver()
        driver.connect()
        let size: UInt64 = isOnePart ? 400 : 2_500
        if isOnePart {
            driver.openAbsent(GatewayDriver.open(size: size))
        } else {
            driver.openParts(size: size)
        }
        let late = driver.newConnection()
        driver.connect(late)
        driver.frame(
            isOnePart
                ? .sessionOpen(GatewayDriver.open(size: size))
                : .resumeQuery(ResumeQuery(listedParts: 0, token: try #require(driver.tokens.last))), from: late)
        let offer = try #require(GatewayDriver.offer(1, of: size))
        driver.frame(.partOffer(offer))
        for offset in [0, 200] as [UInt64] { driver.data(offset: offset, bytes: 200) }
        if isOnePart { driver.frame(.complete(GatewayDriver.complete(size))) }
        let told = frames(driver.frame(.partOffer(offer), from: late), to: Self.sender)
        guard case .error(let report)? = told.first else {
            Issue.record("\(told)")
            return
        }
        #expect(report.scope == .part(offer.part) && report.code == .partInterrupted)
        // The delayed connection ends. The agent has offered the part again, so the part stays with its bytes.
        let again = frames(driver.frame(.partOffer(offer)), to: Self.sender)
        let limit: UInt64 = isOnePart ? 400 : 600
        #expect(
            again == [.partDecision(PartDecision(part: offer.part, decision: .send(offset: 400, limit: limit)))])
        driver.change { $0.connectionLost(late, now: $1) }
        if isOnePart { driver.frame(.complete(GatewayDriver.complete(size))) }
        let answer: StoreAnswer =
            isOnePart ? .objectStored(GatewayDriver.storedObject) : .partStored(etag: "etag-1")
        #expect(frames(driver.answer(answer), to: Self.sender).map(\.type) == [isOnePart ? .completed : .stored])
    }

    @Test(arguments: ["completed", "exists", "refused"])
    func theEndGoesToEverySlotOnce(how: String) throws {
        var (driver, completing) = try Self.driver()
        driver.answer(.parts([]))
        let told: [GatewayAction]
        switch how {
        case "completed": told = driver.answer(.objectStored(GatewayDriver.storedObject))
        case "exists":
            driver.answer(.failed(.keyTaken))
            told = driver.answer(.object(GatewayDriver.object(session: nil)))
        default: told = driver.answer(.failed(.denied))
        }
        let type: FrameType = how == "completed" ? .completed : how == "exists" ? .sessionExists : .error
        for id in completing + [Self.sender] { #expect(frames(told, to: id).map(\.type) == [type]) }
        #expect(driver.machine.slotsInUse == 0)
    }

    @Test func listErrorConcernsItsSlotOnly() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        let second = driver.join().id
        let told = driver.frame(.complete(GatewayDriver.complete(2_500)), from: second)
        #expect(frames(told, to: second).map(\.type) == [.error])
        #expect(frames(told, to: Self.sender).isEmpty)
        #expect(driver.machine.slotsInUse == 1)
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        #expect(frames(driver.frame(.partOffer(offer))).map(\.type) == [.partDecision])
    }
}
