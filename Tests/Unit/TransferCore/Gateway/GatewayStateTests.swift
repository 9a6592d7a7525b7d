import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Gateways that handled equal events are equal. An exhaustive search over states needs this to recognise a state that
/// it has visited before.
@Suite struct GatewayStateTests {
    private static func driver() throws -> GatewayDriver {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        driver.data(bytes: 200)
        return driver
    }

    @Test func equalEventsGiveEqualStates() throws {
        let (one, other) = (try Self.driver(), try Self.driver())
        #expect(one.machine == other.machine)
        #expect(Set([one.machine, other.machine]).count == 1)
    }

    @Test func everyFurtherEventGivesAnotherState() throws {
        var driver = try Self.driver()
        var states: Set<Gateway> = [driver.machine]
        driver.data(offset: 200, bytes: 200)
        states.insert(driver.machine)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        states.insert(driver.machine)
        driver.tick(after: .seconds(10))
        states.insert(driver.machine)
        #expect(states.count == 4)
    }

    @Test(
        arguments: [
            ("Store/DeviceTurns", ["absent", "waiting", "placed"]),
            ("Proving/ReadBackQueue", ["absent", "waiting", "reading"]),
        ] as [(String, Set<String>)])
    func theTablesOfTheQueuesNameTheirPhases(file: String, phases: Set<String>) throws {
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/\(file).swift")
        #expect(Set(rows.flatMap { [$0.from, $0.to] }) == phases)
    }

    @Test func theTableOfProveNamesItsPhases() throws {
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Proving/GatewayProve.swift")
        #expect(Set(rows.map(\.from)) == ["lookingUp", "reading"])
        #expect(Set(rows.map(\.to)) == ["reading", "answered"])
    }
}
