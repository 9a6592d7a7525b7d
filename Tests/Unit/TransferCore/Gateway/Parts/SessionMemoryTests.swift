import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What a session holds in the budget besides its parts. `GatewayDriver` compares the owners of memory with the
/// reservations after each event.
@Suite struct SessionMemoryTests {
    private static let size: UInt64 = 2_500
    private static let listBytes: UInt64 = 3 * 192

    /// Bytes of the budget without the initial credit of open connections.
    private static func held(_ driver: GatewayDriver) -> UInt64 {
        let credit = UInt64(driver.machine.limits.initialCreditBytes) * UInt64(driver.machine.connectionCount)
        return driver.machine.bytesReserved - credit
    }

    /// A driver whose session has several parts, and has received COMPLETE with its list.
    private static func completing() -> GatewayDriver {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: size)
        complete(&driver)
        return driver
    }

    private static func complete(_ driver: inout GatewayDriver, from id: ConnectionID = GatewayDriver.connection) {
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: size), isLast: true)), from: id)
        driver.frame(.complete(GatewayDriver.complete(size)), from: id)
    }

    /// The completion continues without its connection, so its list stays reserved until the session has an outcome.
    @Test(arguments: ["stored", "wanted", "unavailable", "unknown upload", "other object"])
    func listOfACompletionIsReservedUntilItsOutcome(how: String) throws {
        var driver = Self.completing()
        let before = Self.held(driver)
        #expect(before >= Self.listBytes)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        #expect(Self.held(driver) == before)
        switch how {
        case "unknown upload": driver.answer(.failed(.uploadUnknown))
        case "wanted": driver.answer(.parts([]))
        default: driver.answer(.parts(GatewayDriver.entries(of: Self.size)))
        }
        switch how {
        case "stored": driver.answer(.objectStored(GatewayDriver.storedObject))
        case "wanted": driver.answer(.failed(.partsInvalid([])))
        case "unavailable":
            for _ in 0..<4 {
                #expect(Self.held(driver) == before)
                driver.answer(.failed(.unavailable(retryAfter: .zero)))
                driver.tick(after: .seconds(20))
            }
        case "other object":
            driver.answer(.failed(.conflict))
            #expect(Self.held(driver) == before)
            driver.answer(.object(GatewayDriver.object(session: nil)))
        default: break
        }
        #expect(Self.held(driver) <= before - Self.listBytes)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0)
    }

    /// The lists of further COMPLETEs of the session are dropped, and so is the list of a COMPLETE that is refused.
    @Test func onlyTheListThatIsUsedStaysReserved() {
        var driver = Self.completing()
        let before = Self.held(driver)
        driver.answer(.parts([]))
        driver.answer(.failed(.partsInvalid([])))
        #expect(Self.held(driver) == before - Self.listBytes)
        let other = driver.join().id
        Self.complete(&driver)
        #expect(Self.held(driver) == before)
        // The slot that joined is open. Its COMPLETE waits for the outcome of the first.
        Self.complete(&driver, from: other)
        #expect(Self.held(driver) == before)
        driver.answer(.parts([]))
        driver.answer(.failed(.partsInvalid([])))
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: Self.size), isLast: true)))
        #expect(Self.held(driver) == before)
        driver.frame(.complete(GatewayDriver.complete(900)))
        #expect(Self.held(driver) == before - Self.listBytes)
    }

    /// ABORT may come while the store completes the upload. The call then carries the list until the store answers it.
    @Test func callOfAnAbortedCompletionHoldsItsList() throws {
        var driver = Self.completing()
        driver.answer(.parts(GatewayDriver.entries(of: Self.size)))
        let before = Self.held(driver)
        let complete = driver.requests.removeFirst()
        guard case .complete = complete.request else {
            Issue.record("the upload is not being completed")
            return
        }
        let other = driver.newConnection()
        driver.connect(other)
        driver.frame(.abort(Abort(token: try #require(driver.tokens.last))), from: other)
        #expect(Self.held(driver) == before)
        driver.change {
            $0.handle(.storeAnswered(complete.id, .failed(.uploadUnknown), wallMilliseconds: 0), now: $1)
        }
        #expect(Self.held(driver) == before - Self.listBytes)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0)
    }
}
