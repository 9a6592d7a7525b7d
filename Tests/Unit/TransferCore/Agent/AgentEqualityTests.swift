import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport

/// Two agents are equal if their states are equal. An exhaustive search over states needs this to recognise a state
/// that it has visited before.
@Suite struct AgentEqualityTests {
    @Test(arguments: AgentTableTests.State.allCases)
    func equalEventsLeadToEqualAgents(in state: AgentTableTests.State) {
        let machines = (0..<2).map { _ in AgentTableTests.driver(in: state).machine }
        #expect(machines[0] == machines[1])
        #expect(Set(machines).count == 1)
    }

    @Test func eachEventThatMattersMakesAnotherAgent() {
        var driver = AgentDriver()
        var seen: Set<Agent> = [driver.machine]
        driver.submit(size: 2_500)
        #expect(seen.insert(driver.machine).inserted == true)
        driver.welcome()
        #expect(seen.insert(driver.machine).inserted == true)
        driver.commit()
        #expect(seen.insert(driver.machine).inserted == true)
        driver.frame(AgentDriver.opened(driver.session))
        #expect(seen.insert(driver.machine).inserted == true)
    }
}
