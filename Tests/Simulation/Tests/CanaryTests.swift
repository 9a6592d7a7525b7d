import Simulator
import Testing

/// The simulator's checks must detect every canary. This shows that the checks themselves work.
@Suite struct CanaryTests {
    @Test(arguments: Canary.allCases)
    func everyCanaryIsCaughtWithinAThousandSeeds(canary: Canary) {
        let caught = (UInt64(1)...1_000).contains { seed in
            let simulation = Simulation(.drawn(seed: seed, canary: canary))
            simulation.run()
            return !simulation.violations.isEmpty
        }
        #expect(caught, "\(canary) is not caught")
    }

    @Test func shrinkerKeepsOnlyNeededFaults() throws {
        let seed = try #require(
            (UInt64(1)...1_000).first { seed in
                let scenario = Scenario.drawn(seed: seed, canary: .takesUnknownUploadForSuccess)
                let simulation = Simulation(scenario)
                simulation.run()
                return !simulation.violations.isEmpty && scenario.faults.count >= 5
            })
        let scenario = Scenario.drawn(seed: seed, canary: .takesUnknownUploadForSuccess)
        let shrunk = Shrinker.shrunk(scenario)
        #expect(shrunk.faults.count < scenario.faults.count)
        let simulation = Simulation(shrunk)
        simulation.run()
        #expect(!simulation.violations.isEmpty)
        for index in shrunk.faults.indices {
            var less = shrunk
            less.faults.remove(at: index)
            let without = Simulation(less)
            without.run()
            #expect(without.violations.first != simulation.violations.first, "\(shrunk.faults[index]) does not matter")
        }
    }
}
