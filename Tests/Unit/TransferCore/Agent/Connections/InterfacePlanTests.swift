import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Connections use the network interfaces that the user names, in turn. The successor of a connection uses the
/// interface of the connection that it replaces.
@Suite struct InterfacePlanTests {
    @Test func fewestConnectionsDecide() {
        var used: [String] = []
        for _ in 1...4 { used += [InterfacePlan.choose(among: ["wired", "radio"], used: used)].compactMap(\.self) }
        #expect(used == ["wired", "radio", "wired", "radio"])
        used = ["wired", "wired"]
        for _ in 1...3 { used += [InterfacePlan.choose(among: ["wired", "radio"], used: used)].compactMap(\.self) }
        #expect(used == ["wired", "wired", "radio", "radio", "wired"])
    }

    @Test func noNameMeansNoInterface() {
        #expect(InterfacePlan.choose(among: [], used: []) == nil)
    }

    private static let names = ["wired", "radio"]

    private func driver() -> (AgentDriver, [AgentAction]) {
        var driver = AgentDriver { limits in
            limits.connections = 2
            limits.interfaces = Self.names
        }
        let actions = driver.submit(size: 2_500)
        return (driver, actions)
    }

    private func welcomeBoth(_ driver: inout AgentDriver) {
        for id in [ConnectionID(1), ConnectionID(2)] {
            driver.handle(.connected(id, by: nil))
            driver.handle(.receivedFrame(.welcome(AgentDriver.welcome(0)), slot: .connection, from: id))
        }
    }

    private func connects(_ actions: [AgentAction]) -> [String?] {
        actions.compactMap { action -> String?? in
            if case .connect(_, let interface) = action { .some(interface) } else { nil }
        }
    }

    @Test func connectionsUseTheInterfacesInTurn() {
        let (_, actions) = driver()
        #expect(connects(actions) == Self.names)
    }

    @Test func lostConnectionsSuccessorUsesItsInterface() {
        var (driver, _) = driver()
        welcomeBoth(&driver)
        var actions = driver.handle(.connectionLost(ConnectionID(2)))
        actions += driver.tick(after: .seconds(15))
        #expect(connects(actions) == ["radio"])
    }

    /// After GO AWAY the old connection stays open until its work is finished. It no longer counts as a user of its
    /// interface, so the connection that replaces it uses the same interface.
    @Test func connectionThatMustLeaveGivesUpItsInterface() {
        var (driver, _) = driver()
        welcomeBoth(&driver)
        let away = GoAway(deadlineMilliseconds: 10_000, message: "the gateway is being stopped")
        let actions = driver.handle(.receivedFrame(.goAway(away), slot: .connection, from: ConnectionID(1)))
        #expect(connects(actions) == ["wired"])
    }
}
